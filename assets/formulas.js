// The formulas beside the lab. Each is typeset once; its numbers are patched as text. A symbol, its slider and its marks
// in the plot light each other up under the mouse and under the keyboard.
"use strict"

;((playground) => {
  const { element, listen, figures } = playground
  const { symbol: written, glossary, draw, typeset } = window.mathematics
  const $ = (id) => document.getElementById(id)
  const { formulas: book, symbols } = JSON.parse($("formula-book").textContent)
  const box = $("formulas")
  const cards = new Map() // by name: its article, its numbers' places, whether it is typeset
  let present = {} // numbers of the formulas that show
  let order = ""

  playground.typeset = typeset

  // ---- cards ----
  const symbolOf = (name) => ({ "data-symbol": name in symbols ? name : false })

  function line(text) {
    const blanks = new Map()
    const nodes = text.split(/\{(\w+)\}/).map((piece, index) => {
      if (index % 2 === 0) return element("span", {}, ...written(piece))
      const made = element("span", { class: "number", ...symbolOf(piece) })
      blanks.set(piece, [...(blanks.get(piece) ?? []), made])
      return made
    })
    return { nodes, blanks }
  }

  function card(name) {
    const { source, meaning, line: text } = book[name]
    const { nodes, blanks } = line(text)
    const tex = element("div", { class: "tex", role: "group", "aria-label": `Formula. ${meaning}` })
    const article = element("article", { class: "formula", "data-formula": name }, tex,
      element("p", { class: "numbers" }, ...nodes), element("p", { class: "meaning" }, meaning),
      element("p", { class: "theorem" }, source))
    return { article, tex, blanks, typeset: false }
  }

  function show(state) {
    present = state.formulas ?? {}
    const names = Object.keys(present)
    for (const name of names) if (!cards.has(name)) cards.set(name, card(name))
    if (order !== names.join()) {
      order = names.join()
      dim()
      box.replaceChildren(...names.map((name) => cards.get(name).article))
      soon(write)
    }
    for (const name of names) {
      for (const [blank, places] of cards.get(name).blanks) {
        const value = present[name][blank] ?? ""
        for (const place of places) if (place.textContent !== value) place.textContent = value
      }
    }
    hold(state.final)
    if (state.final) describe()
  }

  // What is said above the formulas may grow while a slider moves, but not shrink: they must not dance.
  const explain = $("explain")
  function hold(final) {
    explain.style.minHeight = final ? "" : `${Math.max(explain.offsetHeight, parseFloat(explain.style.minHeight) || 0)}px`
  }

  // ---- typesetting: after the page is painted, one formula at a time ----
  const soon = (work) => (window.requestIdleCallback ?? setTimeout)(work, { timeout: 2000 })
  let writing = false

  async function write() {
    if (writing) return
    const name = Object.keys(present).find((one) => !cards.get(one).typeset)
    if (!name) return
    const one = cards.get(name)
    writing = true
    try {
      const pictures = []
      for (const part of book[name].parts) pictures.push(await draw(part, true))
      one.tex.replaceChildren(...pictures)
      one.tex.querySelectorAll(".mark").forEach(mark)
    } catch (missing) {
      one.tex.append(element("code", {}, book[name].parts.join(", ").replace(/\\class\{[^}]*\}/g, "")))
    }
    one.typeset = true
    writing = false
    describe()
    soon(write)
  }

  // A mark gets a ground, which is also where the mouse finds it, and a place in the order of the keys.
  function mark(one) {
    one.dataset.symbol = one.getAttribute("class").match(/mark-(\w+)/)[1]
    const { x, y, width, height } = one.getBBox()
    const [across, up] = [60, 90]
    const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect")
    const place = { class: "ground", x: x - across, y: y - up, width: width + 2 * across, height: height + 2 * up, rx: 120 }
    for (const [name, value] of Object.entries(place)) ground.setAttribute(name, value)
    one.prepend(document.createElementNS("http://www.w3.org/2000/svg", "title"), ground)
    one.setAttribute("tabindex", "0")
    one.setAttribute("role", "img")
  }

  // ---- what a symbol is, and its present value ----
  function valueOf(name) {
    for (const numbers of Object.values(present)) if (numbers[name]) return numbers[name]
    const control = document.querySelector(`.control[data-name="${name}"]`)
    if (!control || control.hidden) return ""
    const select = control.querySelector("select")
    return select ? select.selectedOptions[0]?.textContent ?? "" : control.querySelector(".value")?.value ?? ""
  }

  function describe() {
    for (const one of box.querySelectorAll("g.mark")) {
      const { text, meaning } = symbols[one.dataset.symbol]
      const value = valueOf(one.dataset.symbol)
      const said = `${text}, ${meaning}${value ? `: ${value}` : ""}`
      if (one.getAttribute("aria-label") === said) continue
      one.setAttribute("aria-label", said)
      one.querySelector("title").textContent = said
    }
  }

  // ---- light ----
  let lit = "" // names of the symbols
  let undo = []

  function glow(one) {
    one.classList.add("lit")
    undo.push(() => one.classList.remove("lit"))
  }

  const size = (value) => (typeof value === "number" ? value : value?.value)
  const THICKER = { line_width: (width) => width + 3, size: (width) => width + 6 }

  // Changed back only if nobody else has changed it meanwhile.
  function swap(model, name, to) {
    const before = model[name]
    model.setv({ [name]: to })
    undo.push(() => { if (size(model[name]) === to || model[name] === to) model.setv({ [name]: size(before) ?? before }) })
  }

  function glowInPlot(figure, part) {
    const drawn = figures.get(figure)
    if (!drawn?.shown || $(`plot-${figure}`).hidden) return
    if (part === "x" || part === "y") {
      swap(drawn.axes[part], "axis_label_text_font_style", "bold")
      return
    }
    const glyph = drawn.parts.get(part)?.glyph
    const name = ["size", "line_width"].find((one) => typeof size(glyph?.[one]) === "number")
    if (name) swap(glyph, name, THICKER[name](size(glyph[name])))
  }

  function glowAt(place) {
    const [where, what] = [place.slice(0, place.indexOf(":")), place.slice(place.indexOf(":") + 1)]
    if (where === "set") document.querySelectorAll(`[data-name="${what}"]`).forEach(glow)
    else if (where === "key") [...$("keys").children].filter((key) => key.textContent === what).forEach(glow)
    else glowInPlot(where, what)
  }

  function light(names) {
    const known = names.filter((name) =>
      symbols[name] && (symbols[name].marks.length > 0 || box.querySelector(`[data-symbol="${name}"]`)))
    if (known.join() === lit) return
    dim()
    lit = known.join()
    for (const name of known) {
      box.querySelectorAll(`[data-symbol="${name}"]`).forEach(glow)
      document.querySelectorAll(`[data-name="${name}"]`).forEach(glow)
      symbols[name].marks.forEach(glowAt)
    }
    if (known.length) describe()
  }

  function dim() {
    lit = ""
    for (const back of undo.splice(0)) back()
  }

  const seenAs = (place) => Object.keys(symbols).filter((name) => symbols[name].marks.includes(place))

  function follow(root, selector, names) {
    const to = (event) => {
      const one = event.target.closest?.(selector)
      if (one) light(names(one))
    }
    const off = (event) => {
      if (!event.relatedTarget?.closest?.(selector) || !root.contains(event.relatedTarget)) dim()
    }
    root.addEventListener("pointerover", to)
    root.addEventListener("focusin", to)
    root.addEventListener("pointerout", off)
    root.addEventListener("focusout", off)
  }

  follow(box, "[data-symbol]", (one) => [one.dataset.symbol])
  for (const id of ["controls", "legend"]) follow($(id), "[data-name]", (one) => [one.dataset.name])
  follow($("keys"), "li", (one) => seenAs(`key:${one.textContent}`))

  // The title of an axis is part of a canvas: its place is known by the frame's.
  function axisAt(event) {
    const plot = event.target.closest?.(".plot")
    const root = plot && figures.get(plot.id.replace("plot-", ""))?.root
    if (!root?.inner_height) return ""
    const inside = plot.getBoundingClientRect()
    if (event.clientY - inside.top > root.inner_height + 12) return `${plot.id.replace("plot-", "")}:x`
    return event.clientX - inside.left < 24 ? `${plot.id.replace("plot-", "")}:y` : ""
  }
  let overAxis = ""
  $("plot").addEventListener("pointermove", (event) => {
    const place = event.buttons ? "" : axisAt(event)
    if (place === overAxis) return
    overAxis = place
    if (place) light(seenAs(place))
    else dim()
  })
  $("plot").addEventListener("pointerleave", () => { if (overAxis) dim(); overAxis = "" })

  // ---- glossary ----
  async function openGlossary() {
    const dialog = $("glossary-box")
    if (!dialog.firstChild) {
      const answer = await fetch(new URL("glossary", document.baseURI))
      if (!answer.ok) return playground.notify(["The glossary could not be loaded; try again in a moment."], "error")
      const page = new DOMParser().parseFromString(await answer.text(), "text/html")
      const close = element("button", { type: "button", class: "close", onclick: () => dialog.close() }, "Close")
      const body = element("div", { class: "scrolled", tabindex: "0" })
      body.append(...[...page.querySelector("main").children].slice(1).map((one) => document.importNode(one, true)))
      glossary(body)
      dialog.append(close, body)
    }
    if (!dialog.open) dialog.showModal()
  }

  $("glossary").addEventListener("click", openGlossary)
  $("glossary-box").addEventListener("click", (event) => { if (event.target === event.currentTarget) event.target.close() })
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input:not([type=range]):not([type=checkbox]), textarea, select")
    if (event.key.toLowerCase() !== "g" || event.ctrlKey || event.metaKey || event.altKey || typing) return
    openGlossary()
  })

  listen((state) => {
    show(state)
    for (const key of $("keys").children) {
      if (seenAs(`key:${key.textContent}`).length) key.setAttribute("tabindex", "0")
    }
  })
})(window.playground)
