// Presenter mode: large, thick and without chrome, driven by keys. And `?hide=`: an exercise without some controls.
"use strict"

;(({ element, figures, keys, controls, boot }) => {
  const $ = (id) => document.getElementById(id)
  const root = document.documentElement
  const FULL = "full screen" // in the tab's memory: the page of the next step asks for it again
  let last = null // the slider that [ and ] move

  // ---- controls that an exercise hides: theirs are the settings, and nothing else of the page ----
  const PAGES_OWN = ["draw", "reset", "snapshot", "share", "tours", "present", "theme"]

  function conceal() {
    const asked = new URLSearchParams(location.search).get("hide") ?? ""
    const names = new Set(asked.split(",").map((name) => name.trim()))
    for (const box of document.querySelectorAll("[data-name]")) box.classList.toggle("concealed", names.has(box.dataset.name))
    for (const id of PAGES_OWN) $(id)?.classList.toggle("concealed", names.has(id))
    document.querySelector(".presets")?.classList.toggle("concealed", names.has("preset"))
  }

  // ---- the mode ----
  const presenting = () => "present" in root.dataset
  const leave = element("button", { type: "button", id: "leave-present", title: "Leave presenter mode (P); ? lists the keys",
    onclick: () => set(false) }, "Leave")
  const nudged = element("div", { id: "nudged", role: "status", "aria-live": "polite" })
  document.body.append(leave, nudged)

  function remember(full) {
    try { sessionStorage.setItem(FULL, full ? "yes" : "no") } catch (blocked) { /* private mode: P again brings it back */ }
  }

  // Browsers allow it after a key or a click only, and some never: the layout does without.
  function fill() {
    remember(true)
    root.requestFullscreen?.().catch(() => remember(false))
  }

  function show() {
    figures.enlarge(presenting())
    $("present").setAttribute("aria-pressed", String(presenting()))
    if (!presenting()) nudged.classList.remove("shown")
  }

  function set(on) {
    if (on) root.dataset.present = "yes"
    else delete root.dataset.present
    const query = new URLSearchParams(location.search)
    if (on) query.set("present", "1")
    else query.delete("present")
    history.replaceState(history.state, "", location.pathname + (query.size ? `?${query}` : ""))
    if (on) fill()
    else {
      remember(false)
      if (document.fullscreenElement) document.exitFullscreen()
    }
    show()
    if (on) say("? lists the keys, P leaves")
  }

  document.addEventListener("fullscreenchange", () => {
    if (!document.fullscreenElement && presenting()) set(false) // Escape
  })

  // A new page has no full screen until its first key or click.
  for (const kind of ["keydown", "pointerdown"]) {
    document.addEventListener(kind, (event) => {
      let wanted = false
      try { wanted = sessionStorage.getItem(FULL) === "yes" } catch (blocked) { wanted = false }
      if (wanted && presenting() && !document.fullscreenElement && event.key !== "Escape") fill()
    }, { capture: true, once: true })
  }

  // ---- the slider in hand ----
  const sliders = () => [...document.querySelectorAll("#controls input[type=range]")]
    .filter((slider) => !slider.closest("[hidden], .concealed"))

  $("controls").addEventListener("focusin", ({ target }) => {
    const slider = target.closest(".control")?.querySelector("input[type=range]")
    if (slider) last = slider
  })

  function inHand() {
    const there = sliders()
    if (!there.includes(last)) last = there[0] ?? null
    return last
  }

  let fading = null
  function say(...words) {
    nudged.replaceChildren(...words)
    nudged.classList.add("shown")
    clearTimeout(fading)
    fading = setTimeout(() => nudged.classList.remove("shown"), 4000)
  }

  function tell() {
    const setting = boot.schema.find(({ name }) => `set-${name}` === last.id)
    const value = $(`value-${setting.name}`).value
    say(setting.label, " ", element("b", {}, setting.symbol ? `${setting.symbol} = ${value}` : value))
  }

  function nudge(steps) {
    const slider = inHand()
    if (!slider) return
    controls.halt(true)
    slider.value = Number(slider.value) + steps
    slider.dispatchEvent(new Event("input", { bubbles: true }))
    slider.dispatchEvent(new Event("change", { bubbles: true }))
    tell()
  }

  function choose(way) {
    const there = sliders()
    if (!inHand()) return
    last = there[(there.indexOf(last) + way + there.length) % there.length]
    tell()
  }

  // ---- keys ----
  const press = (id) => () => { if (!$(id).classList.contains("concealed")) $(id).click() }
  const toggle = (name) => () => {
    const box = $(`set-${name}`)
    if (box && !box.closest("[hidden], .concealed")) box.click()
  }
  keys.add(["p"], "Presenter mode on, off", () => set(!presenting()))
  const SHOWN = { 1: ["actual", "Show, hide the experiment"], 2: ["linear", "Show, hide the linear equivalent"],
    3: ["equivalent", "Show, hide the deterministic equivalent (theory)"] }
  for (const [key, [name, what]] of Object.entries(SHOWN)) keys.add([key], `${what} *`, toggle(name), presenting)
  keys.add(["["], "Slider down by a step *", () => nudge(-1), presenting)
  keys.add(["]"], "Slider up by a step *", () => nudge(1), presenting)
  keys.add(["{"], "Slider down by ten steps *", () => nudge(-10), presenting)
  keys.add(["}"], "Slider up by ten steps *", () => nudge(10), presenting)
  keys.add(["ArrowUp"], "The slider before *", () => choose(-1), presenting)
  keys.add(["ArrowDown"], "The next slider *", () => choose(1), presenting)
  keys.add(["n"], "New draw *", press("draw"), presenting)
  keys.add(["r"], "Reset *", press("reset"), presenting)
  keys.add(["s"], "Share *", press("share"), presenting)

  $("present").addEventListener("click", () => set(!presenting()))
  window.addEventListener("popstate", () => {
    conceal()
    const asked = new URLSearchParams(location.search).has("present")
    if (asked === presenting()) return
    if (asked) root.dataset.present = "yes"
    else delete root.dataset.present
    show()
  })
  conceal()
  show()
})(window.playground)
