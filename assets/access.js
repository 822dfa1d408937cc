// For hands on glass and for ears: the drawer of controls and the menu on a phone, and the plot's summary read out politely.
"use strict"

;(({ element, listen }) => {
  const page = document.documentElement
  const controls = document.getElementById("controls")
  const plot = document.getElementById("plot")

  // ---- the drawer: the lower part of a small screen, so that the plot stays in sight above it ----
  const button = element("button", {
    type: "button", id: "drawer", "aria-controls": "controls", onclick: () => open(page.dataset.drawer !== "open"),
  })
  controls.before(button)

  function open(wanted) {
    page.dataset.drawer = wanted ? "open" : "closed"
    button.setAttribute("aria-expanded", String(wanted))
    button.textContent = wanted ? "Close settings" : "Settings"
    if (!wanted || !button.checkVisibility()) return
    const { top, bottom } = plot.getBoundingClientRect()
    const above = controls.getBoundingClientRect().top // what is left of the window
    if (bottom < 120 || top > above - 200) plot.scrollIntoView({ block: "start" })
  }

  open(false)
  document.querySelector(".skip").addEventListener("click", () => open(true))
  page.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || page.dataset.drawer !== "open" || !controls.contains(event.target)) return
    open(false)
    button.focus()
  })

  // ---- the menu: on a phone most buttons of the header stand behind one ----
  const menu = document.getElementById("menu")
  const box = document.getElementById("menu-box")

  function unfold(wanted) {
    page.dataset.menu = wanted ? "open" : "closed"
    menu.setAttribute("aria-expanded", String(wanted))
  }

  menu.addEventListener("click", () => unfold(page.dataset.menu !== "open"))
  document.addEventListener("click", ({ target }) => { if (!menu.contains(target)) unfold(false) })
  menu.parentElement.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || page.dataset.menu !== "open") return
    unfold(false)
    menu.focus()
  })
  menu.parentElement.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget && relatedTarget !== menu && !box.contains(relatedTarget)) unfold(false)
  })

  // ---- the summary: once a move has come to rest, never during a drag, never twice the same ----
  const REST = 600 // ms
  const spoken = element("p", { id: "spoken", class: "offscreen-text", role: "status" })
  plot.after(spoken)
  let timer = 0
  let said = null // nothing is said of the page as it comes: that is read anyway

  listen((state) => {
    clearTimeout(timer)
    if (!state.final || state.busy) return
    const words = state.readouts.slice(0, 3).map(({ label, value, detail }) => `${label}: ${value} ${detail}`).join("; ")
    if (said === null) said = words
    timer = setTimeout(() => {
      if (said !== words) spoken.textContent = words
      said = words
    }, REST)
  })
})(window.playground)
