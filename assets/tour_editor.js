// A tour of one's own: the present view becomes a step; kept in this browser, written to a file and opened from one.
"use strict"

;(({ element, ask, answer, notify, address, tour: tours, listen }) => {
  const MOST = 64 * 1024 // bytes of a file; the server has the same limit
  const REVEALED = ["actual", "linear", "equivalent"]
  const lab = decodeURIComponent(location.pathname.split("/").pop())
  let state = null
  listen((news) => { state = news })

  let own = tours.own()
  let before = null // what was there before the last change that cannot be typed again
  let editing = null // index of the step in the form
  let heard = null // who waits for the server

  // ---- the server reads every change, and says what is wrong ----
  answer("tour", (message) => { heard?.(message) })
  const check = (message) => new Promise((done) => {
    heard = done
    ask({ type: "tour", ...message })
  })
  const bare = ({ title, summary, steps }) => ({
    title, summary,
    steps: steps.map(({ title, text, lab, settings, reveal, predict }) => ({
      title, text, lab, settings, ...(reveal && { reveal }), ...(predict && { predict }),
    })),
  })

  function keep(made) {
    own = made
    try {
      if (own) localStorage.setItem(tours.KEY, JSON.stringify(own))
      else localStorage.removeItem(tours.KEY)
    } catch (blocked) {
      notify(["This browser keeps nothing: download the tour before you leave the page."], "")
    }
    show()
  }

  async function propose(wanted) {
    const reply = await check({ tour: bare(wanted) })
    fault.textContent = reply.fault ?? ""
    if (reply.fault) return false
    keep(reply.tour)
    return true
  }

  // ---- the present view ----
  function view() {
    const query = new URLSearchParams(state.query)
    const there = REVEALED.filter((flag) => flag in state.values)
    for (const flag of there) query.delete(flag)
    return { lab, settings: query.toString(), reveal: there.filter((flag) => state.values[flag]) }
  }

  async function save() {
    const steps = [...(own?.steps ?? [])]
    const words = { title: stepTitle.value, text: stepText.value }
    if (editing === null) steps.push({ ...words, ...view() })
    else steps[editing] = { ...steps[editing], ...words, ...(fresh.checked && { ...view(), predict: null }) }
    const done = await propose({ title: name.value || "My tour", summary: own?.summary ?? "", steps })
    if (!done) return
    said.textContent = editing === null ? `Step ${steps.length} added.` : `Step ${editing + 1} saved.`
    edit(null)
  }

  function edit(index) {
    editing = index
    stepTitle.value = index === null ? "" : own.steps[index].title
    stepText.value = index === null ? "" : own.steps[index].text
    fresh.checked = false
    formTitle.textContent = index === null ? "Add the present view as a step" : `Edit step ${index + 1}`
    saveButton.textContent = index === null ? "Add step" : "Save step"
    freshRow.hidden = cancel.hidden = index === null
    if (index !== null) stepTitle.focus()
  }

  async function change(steps, words) {
    edit(null)
    if (steps.length === 0) forget(words)
    else if (await propose({ ...own, steps })) said.textContent = words
  }

  function forget(words) {
    before = own
    keep(null)
    said.textContent = words
    undo.hidden = false
  }

  function move(index, way) {
    const steps = [...own.steps]
    steps.splice(index + way, 0, ...steps.splice(index, 1))
    change(steps, `Step ${index + 1} is now step ${index + way + 1}.`)
  }

  // ---- files ----
  async function download() {
    const reply = await check({ tour: bare(own) })
    fault.textContent = reply.fault ?? ""
    if (reply.fault) return
    const url = URL.createObjectURL(new Blob([reply.toml], { type: "application/toml" }))
    const file = own.title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "tour"
    element("a", { href: url, download: `${file}.toml` }).click()
    setTimeout(() => URL.revokeObjectURL(url), 10000) // once the browser has it
  }

  async function openFile() {
    const file = chosen.files[0]
    chosen.value = ""
    if (!file) return
    if (file.size > MOST) {
      fault.textContent = `A tour may have ${MOST / 1024} kB; this file has ${Math.round(file.size / 1024)}.`
      return
    }
    const reply = await check({ text: await file.text() })
    fault.textContent = reply.fault ? `${file.name}: ${reply.fault}` : ""
    if (reply.fault) return
    before = own
    undo.hidden = before === null
    keep(reply.tour)
    edit(null)
    said.textContent = `“${reply.tour.title}” is open${before ? " in place of the tour that was here" : ""}.`
  }

  // ---- the form ----
  const name = element("input", { type: "text", id: "own-title", maxlength: 120, autocomplete: "off",
    onchange: () => own && propose({ ...own, title: name.value || "My tour" }) })
  const list = element("ol", { class: "own-steps" })
  const formTitle = element("h4", {})
  const stepTitle = element("input", { type: "text", id: "step-title", maxlength: 120, required: true, autocomplete: "off" })
  const stepText = element("textarea", { id: "step-text", rows: 4, maxlength: 2000, required: true })
  const fresh = element("input", { type: "checkbox", id: "step-fresh" })
  const freshRow = element("label", { class: "key" }, fresh, "with the view that is shown now")
  const saveButton = element("button", { type: "submit", class: "next" })
  const cancel = element("button", { type: "button", onclick: () => edit(null) }, "Cancel")
  const form = element("form", { onsubmit: (event) => { event.preventDefault(); save() } },
    formTitle, element("label", { for: "step-title" }, "Title"), stepTitle,
    element("label", { for: "step-text" }, "Text (an empty line between paragraphs, formulas between \\( and \\))"), stepText,
    freshRow, element("div", { class: "row" }, saveButton, cancel))
  const fault = element("p", { class: "fault", role: "alert" })
  const said = element("p", { role: "status", "aria-live": "polite" })
  const undo = element("button", { type: "button", hidden: true, onclick: () => {
    keep(before)
    undo.hidden = true
    said.textContent = "The tour is back."
  } }, "Undo")
  const play = element("button", { type: "button", onclick: () => location.assign(tours.link(tours.OWN, own.steps, 0)) }, "Play")
  const save_ = element("button", { type: "button", onclick: download }, "Download")
  const clear = element("button", { type: "button", onclick: () => forget("The tour is deleted.") }, "Delete")
  const chosen = element("input", { type: "file", id: "tour-file", class: "offscreen", "aria-label": "File of a tour", accept: ".toml,application/toml", onchange: openFile })
  const choose = element("button", { type: "button", onclick: () => chosen.click() }, "Open a file …")

  function show() {
    name.value = own?.title ?? name.value
    for (const button of [play, save_, clear]) button.disabled = own === null
    list.replaceChildren(...(own?.steps ?? []).map((step, index) => {
      const button = (text, label, act, off = false) =>
        element("button", { type: "button", "aria-label": `${label} step ${index + 1}`, title: label, disabled: off, onclick: act }, text)
      return element("li", {}, element("span", { class: "own-step" }, step.title, element("small", {}, ` ${step.lab}`)),
        button("↑", "Earlier:", () => move(index, -1), index === 0),
        button("↓", "Later:", () => move(index, 1), index + 1 === own.steps.length),
        button("Edit", "Edit", () => edit(index)),
        button("×", "Delete", () => change(own.steps.filter((_, other) => other !== index), `Step ${index + 1} is deleted.`)))
    }))
  }

  tours.place.body.append(element("section", { class: "own", "aria-labelledby": "own-heading" },
    element("h3", { id: "own-heading" }, "Your own tour"),
    element("p", {}, "Set the page as you want it seen, say something about it, add it as a step. It stays in this browser; a file carries it elsewhere."),
    element("label", { for: "own-title" }, "Title of the tour"), name, list, form, fault,
    element("div", { class: "row" }, said, undo), chosen,
    element("div", { class: "row" }, play, save_, choose, clear)))
  edit(null)
  show()
})(window.playground)
