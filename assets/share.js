// Take it away: link and QR code, pictures, data, a report, Python lines. All in one dialog, made when first opened.
"use strict"

;(({ element, ask, copy, address, listen, boot, controls, picture, report }) => {
  const SCALE = 2 // pixels of a PNG to a unit
  const LEGEND = { // colours of the three readings in a legend without keys of its own
    actual: ["#56b4e9", "area"], linear: ["#009e73", "dashed"], equivalent: ["#d55e00", "solid"],
  }
  const opener = document.getElementById("share")
  let state = null
  let dialog = null
  let parts = {}
  let asked = false // whether the server has been asked for what the dialog needs
  let link = ""

  // ---- what everything carries with it ----
  const seed = () => state.share.settings.find((one) => one.name === "seed")
  const fileName = (ending) => {
    const number = seed() ? `-seed-${seed().value}` : ""
    return `${state.share.lab}${number}.${ending}`
  }

  function caption() {
    const { share } = state
    const shown = share.settings.filter((one) => one.shown).map((one) =>
      `${one.symbol ? `${one.label} ${one.symbol}` : one.label} = ${one.text}${one.unit ? ` ${one.unit}` : ""}`)
    return [`${shown.join(" · ")}.`, `${share.release}. ${link}`]
  }

  const oneLine = (text) => String(text).replace(/\s+/g, " ")
  const cell = (value) => (/[",\n\r]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value)

  function csv() {
    const { share } = state
    const lines = [`# ${share.title}, ${share.release}`, `# ${link}`]
    for (const one of share.settings) lines.push(`# ${one.name} = ${oneLine(one.value)} (${oneLine(`${one.label} ${one.symbol}`).trim()})`)
    for (const one of state.readouts) lines.push(`# ${oneLine(`${one.label}: ${one.value}; ${one.detail}`)}`)
    for (const table of state.tables) {
      const names = Object.keys(table.columns)
      const rows = Math.max(0, ...names.map((name) => table.columns[name].length))
      lines.push("", `# ${oneLine(table.caption)}`, names.map(cell).join(","))
      for (let row = 0; row < rows; row++) lines.push(names.map((name) => table.columns[name][row] ?? "").join(","))
    }
    return lines.join("\n") + "\n"
  }

  function json() {
    const { share } = state
    const settings = Object.fromEntries(share.settings.map(({ name, label, symbol, unit, value }) => [name, { value, label, symbol, unit }]))
    return JSON.stringify({
      lab: share.lab, title: share.title, version: share.release, link, seed: seed()?.value ?? null, settings,
      readouts: state.readouts, assumptions: state.lamps, tables: state.tables, python: share.python,
    }, null, 1) + "\n"
  }

  function keys() {
    if (state.keys?.length) return state.keys
    return boot.schema.filter((one) => one.group === "legend" && LEGEND[one.name] && state.share.settings.some((s) => s.name === one.name && s.value))
      .map((one) => ({ label: one.label, colour: LEGEND[one.name][0], dash: LEGEND[one.name][1] }))
  }

  const draw = (theme) => picture.compose({
    names: state.figures, theme, keys: keys(), title: state.share.title, lines: caption(),
  })

  function save(content, type, ending) {
    const blob = content instanceof Blob ? content : new Blob([content], { type })
    const anchor = element("a", { href: URL.createObjectURL(blob), download: fileName(ending) })
    anchor.click()
    setTimeout(() => URL.revokeObjectURL(anchor.href), 60000)
    say(`${fileName(ending)} saved.`)
  }

  const MAKERS = {
    svg: async () => save(picture.text(await draw(parts.theme())), "image/svg+xml", "svg"),
    png: async () => save(await picture.pixels(await draw(parts.theme()), SCALE), "image/png", "png"),
    csv: async () => save(csv(), "text/csv;charset=utf-8", "csv"),
    json: async () => save(json(), "application/json", "json"),
    html: async () => {
      const when = new Date().toISOString().slice(0, 10)
      save(report({ share: state.share, state, caption: caption(), link, drawing: await draw("light"), when }), "text/html;charset=utf-8", "html")
    },
    py: async () => save(state.share.python, "text/x-python;charset=utf-8", "py"),
  }

  async function make(kind) {
    if (!state.share) return say("Not ready yet: one moment.")
    say("Preparing …")
    try {
      await MAKERS[kind]()
    } catch (failed) {
      console.error(failed)
      say("This file could not be made; the others can.")
    }
  }

  // ---- the dialog ----
  const say = (text) => { parts.said.textContent = text }
  const button = (id, text, does, attributes = {}) => element("button", { type: "button", id, onclick: does, ...attributes }, text)
  const section = (id, title, ...children) => element("section", { "aria-labelledby": id }, element("h3", { id }, title), ...children)

  async function copied(text, said) {
    await copy(text, said)
    say(said)
  }

  function build() {
    const url = element("input", { id: "share-link", readonly: true, "aria-label": "Link to this view", onfocus: () => url.select() })
    const image = element("img", { id: "qr", alt: "QR code of the link", width: 180, height: 180 })
    const large = button("qr-large", "Large, for the room", () => enlarge(true), { "aria-pressed": "false" })
    const noCode = element("p", { class: "help", hidden: true }, "This link is too long for a QR code: copy it instead.")
    image.addEventListener("load", () => { image.hidden = large.hidden = false; noCode.hidden = true })
    image.addEventListener("error", () => { image.hidden = large.hidden = true; noCode.hidden = false; enlarge(false) })
    const alone = element("p", { class: "help", hidden: !/^(localhost|127\.|\[::1\])/.test(location.hostname) },
      `The address “${location.hostname}” reaches this computer only. For the room, open the page by the name or number that others know it by.`)
    const seen = element("input", { type: "checkbox", id: "as-seen" })
    const code = element("code", { id: "python" })
    const status = element("p", { id: "share-busy", class: "help" })
    const said = element("p", { id: "said", role: "status", "aria-live": "polite" })
    parts = {
      url, image, large, code, said, status,
      theme: () => (seen.checked ? document.documentElement.dataset.theme : "light"),
    }
    dialog = element("dialog", { id: "sharing", "aria-labelledby": "sharing-title", onclose: closed },
      element("header", {}, element("h2", { id: "sharing-title" }, "Share and export"),
        button("sharing-close", "Close", () => dialog.close())),
      element("div", { class: "sections" },
        section("share-link-title", "Link", element("div", { class: "link" }, url,
          button("copy-link", "Copy link", () => copied(link, "Link copied: it brings back exactly this view."))),
        image, large, noCode, alone),
        section("share-picture-title", "Picture",
          element("p", { class: "help" }, "All figures shown, with legend, settings, seed, version and link."),
          element("div", { class: "buttons" }, button("save-svg", "SVG (vector)", () => make("svg")), button("save-png", "PNG", () => make("png"))),
          element("label", { class: "check" }, seen, " Colours of the screen instead of print")),
        section("share-data-title", "Data",
          element("p", { class: "help" }, "Curves, draws, settings and read-outs, with every digit."),
          element("div", { class: "buttons" }, button("save-csv", "CSV", () => make("csv")), button("save-json", "JSON", () => make("json")))),
        section("share-report-title", "Report",
          element("p", { class: "help" }, "One HTML file with all of this; it opens offline and needs no script."),
          element("div", { class: "buttons" }, button("save-html", "HTML report", () => make("html")))),
        section("share-python-title", "Python",
          element("p", { class: "help" }, "These lines make the same curves with rmtcore, and the same draw where rmtcore makes it."),
          element("pre", { tabindex: "0", role: "region", "aria-label": "Python lines" }, code),
          element("div", { class: "buttons" }, button("copy-python", "Copy the lines", () => state.share && copied(state.share.python, "Python lines copied.")),
            button("save-py", "Save as .py", () => make("py"))))),
      element("footer", {}, status, said))
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close() }) // beside it
    dialog.addEventListener("cancel", (event) => { // Escape first takes the large code away
      if (!dialog.classList.contains("large")) return
      event.preventDefault()
      enlarge(false)
    })
    document.body.append(dialog)
  }

  function enlarge(on) {
    dialog.classList.toggle("large", on)
    parts.large.setAttribute("aria-pressed", String(on))
    parts.large.textContent = on ? "Smaller" : "Large, for the room"
  }

  function open() {
    if (!dialog) build()
    if (dialog.open) return
    controls.halt()
    say("")
    enlarge(false)
    dialog.showModal()
    document.getElementById("copy-link").focus()
    refresh(true)
  }

  function closed() {
    asked = false
    ask({ type: "share", open: false })
    opener.focus()
  }

  function refresh(first) {
    const target = location.origin + address()
    if (first || target !== link) {
      link = target
      parts.url.value = link
      const { origin, pathname, search } = new URL(link)
      const base = pathname.replace(/[^/]*$/, "")
      const lab = pathname.slice(base.length)
      parts.image.src = `${base}qr/${lab}?origin=${encodeURIComponent(origin)}&query=${encodeURIComponent(search.slice(1))}`
    }
    const { progress: [done, rounds], busy } = state
    parts.status.textContent = busy ? `Still drawing (${done} of ${rounds}): files hold what has arrived so far.` : ""
    if (state.share) parts.code.textContent = state.share.python
    for (const one of dialog.querySelectorAll(".buttons button")) one.disabled = !state.share
    if (!asked && document.documentElement.dataset.ready) {
      asked = true
      ask({ type: "share", open: true })
    }
  }

  opener.addEventListener("click", open)
  listen((now) => {
    // An answer to what was asked before has neither tables nor lines.
    state = now.share || !dialog?.open ? now : { ...now, share: state?.share, tables: state?.tables }
    if (dialog?.open) refresh(false)
  })
})(window.playground)
