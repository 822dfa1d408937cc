// The page: controls from the schema, read-outs from the server, history, theme. The server validates everything.
"use strict"

window.playground = (({ figures, element, controls: makeControls, upload: makeUpload }) => {
  const boot = JSON.parse(document.getElementById("boot").textContent)
  const $ = (id) => document.getElementById(id)
  let state = boot.state
  let model = null // Bokeh's end of the wire
  let waiting = null // number of the message whose answer is awaited
  let number = 0
  let lastKind = "" // of message
  let queued = {} // changes made meanwhile: the newest value of each wins
  let sent = {} // changes on their way: what was shown before them must not move their controls back
  let queuedPick = null // the newest place pointed at in a figure
  let queuedFinal = false
  let lastPush = { time: 0, names: "" }
  const KEPT = ["theme", "present", "hide", "show", "tour", "embed"] // of the address: the page's own, no settings
  const connected = [] // told of every connection
  const listeners = [] // told of every state once it is shown
  const hearers = {} // of answers that are no states, by their type

  // ---- the wire: one message at a time, so that a drag never runs ahead of what is painted ----
  function send(message) {
    waiting = ++number
    lastKind = message.type
    model.send_msg({ ...message, id: waiting })
  }

  function change(values, final) {
    Object.assign(queued, values)
    queuedFinal = queuedFinal || final
    flush()
  }

  function pick(place, final) {
    queuedPick = place
    queuedFinal = queuedFinal || final
    flush()
  }

  // What an exercise hides, a click in a plot must not move either.
  const hidden = () => (new URLSearchParams(location.search).get("hide") ?? "").split(",").map((name) => name.trim())

  function flush() {
    if (model === null || waiting !== null) return
    if (queuedPick !== null) {
      send({ type: "pick", ...queuedPick, final: queuedFinal, hidden: hidden() })
      queuedPick = null
    } else if (Object.keys(queued).length > 0 || queuedFinal) {
      send({ type: "set", values: queued, final: queuedFinal })
      sent = queued
      queued = {}
    } else return
    queuedFinal = false
  }

  const controls = makeControls(boot.schema, {
    change,
    get ready() { return model !== null && waiting === null },
    pending: (name) => name in queued || name in sent,
    drop: (name) => delete queued[name],
  })

  let early = null // asked before there is a wire: a tour's first step

  function ask(message) {
    if (model === null) {
      early = message
      return
    }
    if (["query", "preset", "reset"].includes(message.type)) controls.halt()
    queued = {}
    queuedPick = null
    send({ ...message, final: true })
  }

  function receive(message) {
    if (message.type === "progress") {
      state = { ...state, doing: message.doing }
      return showBusy()
    }
    const own = message.id !== null && message.id === waiting
    if (own) {
      waiting = null
      sent = {}
    }
    if (hearers[message.type]) {
      hearers[message.type](message)
      flush()
      return
    }
    figures.patch(message.news)
    if (message.type === "error") {
      notify([message.text], "error")
      state = { ...state, values: message.values, busy: message.busy, doing: message.doing }
      showBusy()
      controls.show(state)
    } else {
      const asked = own ? lastKind : ""
      state = message
      showSoon()
      if (own && message.final && !["query", "hello", "stop", "snapshot", "table", "share"].includes(asked)) remember()
    }
    flush()
  }

  function connect(wire) { // again after each cut: what was on its way may be lost
    queued = { ...sent, ...queued }
    queuedFinal = queuedFinal || Object.keys(queued).length > 0
    model = wire
    model.on("msg:custom", (text) => { if (model === wire) receive(JSON.parse(text)) })
    send({ type: "hello" })
    document.documentElement.dataset.ready = "yes"
    for (const hear of connected) hear(wire)
    if (early) ask(early)
    early = null
  }

  // ---- history: one entry a move, none while dragging ----
  function address() {
    const kept = new URLSearchParams(location.search)
    const query = new URLSearchParams(state.query)
    for (const name of KEPT) if (kept.has(name)) query.set(name, kept.get(name))
    const text = query.toString()
    return location.pathname + (text ? "?" + text : "")
  }

  function remember() {
    const target = address()
    if (target === location.pathname + location.search) return
    const names = [...new URLSearchParams(state.query).keys()].sort().join()
    // A slider under an arrow key sends many final values: they are one move.
    const now = performance.now()
    // In an iframe the entries would be those of the page around it.
    const same = window.parent !== window || now - lastPush.time < 700 && names === lastPush.names
    history[same ? "replaceState" : "pushState"]({}, "", target)
    lastPush = { time: now, names }
  }

  window.addEventListener("popstate", () => ask({ type: "query", search: location.search }))

  // ---- what the server says ----
  const shown = new Map() // what stands in each box: an unchanged one costs no layout

  function fill(id, data, make) {
    const text = JSON.stringify(data)
    if (shown.get(id) === text) return
    shown.set(id, text)
    $(id).replaceChildren(...data.map(make))
  }

  function showWords() {
    fill("readouts", state.readouts, (one) => element("div", {
      class: "readout" + (one.good === false ? " bad" : one.good === true ? " good" : ""),
    }, element("dt", {}, one.label), element("dd", {}, one.value), element("dd", { class: "detail" }, one.detail)))
    fill("keys", state.keys ?? [], (key) => element("li", {},
      element("span", { class: `sample ${key.dash}`, style: `--colour: ${key.colour}`, "aria-hidden": "true" }), key.label))
    fill("explain", state.explain, (text) => element("p", {}, text))
    fill("lamps", state.lamps, (lamp) => element("li", { class: lamp.on ? "on" : "off" },
      element("b", {}, (lamp.on ? "● " : "○ ") + lamp.label), lamp.on ? " — " + lamp.text : " holds",
      element("span", { class: "theorem" }, lamp.theorem)))
  }

  function showBusy() {
    const busy = $("busy")
    busy.classList.toggle("active", state.busy || model === null)
    const [done, rounds] = state.progress ?? [0, 1]
    const drawing = rounds > 1 ? `drawing ${done} of ${rounds}` : "drawing …"
    const doing = state.doing || (state.busy ? drawing : "up to date")
    busy.querySelector(".text").textContent = model === null ? "connecting …" : doing
    $("stop").hidden = !(state.busy && (rounds > 1 || state.doing))
  }

  function showTables() {
    if (!state.tables) return
    const most = 2000
    fill("tables", state.tables, (table) => {
      const names = Object.keys(table.columns)
      const rows = Math.max(0, ...names.map((name) => table.columns[name].length))
      const body = element("tbody")
      for (let row = 0; row < Math.min(rows, most); row++) {
        body.append(element("tr", {}, ...names.map((name) => {
          const value = table.columns[name][row]
          return element("td", {}, typeof value === "number" ? String(parseFloat(value.toPrecision(6))) : value ?? "")
        })))
      }
      const caption = table.caption + (rows > most ? ` (first ${most} of ${rows}; the copy has all)` : "")
      return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": table.caption },
        element("table", {}, element("caption", {}, caption),
          element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name)))), body))
    })
  }

  function show() {
    controls.show(state)
    upload?.show(state.file)
    showWords()
    showBusy()
    showTables()
    for (const hear of listeners) hear(state)
  }

  // The plot first: words and controls follow once it is painted, only the latest of them, and in a drag
  // no more often than one can read: laying them out costs as much as a frame of the plot.
  const READING = 100 // ms
  let wordsDue = false
  let lastWords = 0
  function showSoon() {
    notify(state.notices, "")
    figures.show(state.figures)
    if (wordsDue) return
    wordsDue = true
    const rest = state.final ? 0 : Math.max(0, lastWords + READING - performance.now())
    requestAnimationFrame(() => setTimeout(() => {
      wordsDue = false
      lastWords = performance.now()
      show()
    }, rest))
  }

  function notify(texts, kind) {
    const said = new Set([...$("notices").children].map((note) => note.firstChild.textContent))
    for (const text of texts.filter((one) => !said.has(one))) { // a state says again what still holds
      const note = element("p", { class: `notice ${kind}` }, text, element("button", {
        type: "button", "aria-label": "Dismiss", onclick: () => note.remove(),
      }, "×"))
      $("notices").append(note)
      while ($("notices").children.length > 3) $("notices").firstChild.remove()
      setTimeout(() => note.remove(), kind === "error" ? 30000 : 12000)
    }
  }

  // ---- theme: in the browser alone, so that it costs no round trip and loses no state ----
  function setTheme(theme) {
    document.documentElement.dataset.theme = theme
    try { localStorage.setItem("theme", theme) } catch (blocked) { /* private mode: the theme lasts as long as the page */ }
    const query = new URLSearchParams(location.search)
    if (query.has("theme")) { // or it would win again after a reload
      query.set("theme", theme)
      history.replaceState({}, "", `${location.pathname}?${query}`)
    }
    showTheme()
    figures.theme()
  }

  function showTheme() {
    const dark = document.documentElement.dataset.theme === "dark"
    $("theme").textContent = dark ? "Light" : "Dark"
    $("theme").setAttribute("aria-pressed", String(dark))
  }

  // ---- presets: what is worth seeing ----
  function presets() {
    const select = element("select", {
      id: "preset",
      onchange: () => {
        ask({ type: "preset", search: boot.presets[select.value][1] })
        select.value = ""
      },
    }, element("option", { value: "" }, "choose …"), ...boot.presets.map(([name], index) => element("option", { value: index }, name)))
    return element("div", { class: "presets" }, element("label", { for: "preset" }, "Worth seeing"), select)
  }

  // ---- buttons ----
  async function copy(text, said) {
    try {
      await navigator.clipboard.writeText(text)
    } catch (refused) {
      // Without a secure context there is no clipboard API; a selection still copies.
      const area = element("textarea", { class: "offscreen", "aria-hidden": "true" })
      area.value = text
      const place = document.querySelector("dialog[open]") ?? document.body // the rest is inert beside a dialog
      place.append(area)
      area.select()
      document.execCommand("copy")
      area.remove()
    }
    notify([said], "")
  }

  const oneLine = (text) => text.replace(/\s+/g, " ")
  const cell = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

  function csv() {
    return (state.tables ?? []).map((table) => {
      const names = Object.keys(table.columns)
      const rows = Math.max(0, ...names.map((name) => table.columns[name].length))
      const lines = [`# ${oneLine(table.caption)}`, names.map(cell).join(",")]
      for (let row = 0; row < rows; row++) lines.push(names.map((name) => table.columns[name][row] ?? "").join(","))
      return lines.join("\n")
    }).join("\n\n")
  }

  const upload = boot.upload && makeUpload(boot.upload, (text) => notify([text], "error"), () => ask({ type: "file" }))
  if (upload) $("controls").append(upload.zone)
  if (boot.presets.length) $("controls").append(presets())
  controls.build()
  figures.start(boot.picks ? pick : null)
  figures.patch(state.news)
  figures.theme()
  figures.show(state.figures)
  show()
  notify(state.notices, "")
  showTheme()
  document.querySelector("nav [aria-current]").scrollIntoView({ block: "nearest", inline: "center" })
  $("draw").addEventListener("click", () => ask({ type: "draw" }))
  $("plot").addEventListener("pointerdown", () => controls.halt(true)) // picking in a plot moves the slider itself
  $("stop").addEventListener("click", () => ask({ type: "stop" }))
  $("snapshot").hidden = !boot.ghosts
  $("snapshot").addEventListener("click", () => {
    const keep = $("snapshot").getAttribute("aria-pressed") !== "true"
    $("snapshot").setAttribute("aria-pressed", String(keep))
    $("snapshot").textContent = keep ? "Clear snapshot" : "Snapshot"
    ask({ type: "snapshot", keep })
  })
  $("reset").addEventListener("click", () => ask({ type: "reset" }))
  $("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"))
  $("data").addEventListener("toggle", () => ask({ type: "table", open: $("data").open }))
  $("copy-data").addEventListener("click", () => copy(csv(), "Data copied as CSV."))

  // What the other scripts of the page build on.
  return {
    connect, figures, element, controls, boot, ask, change, notify, copy, csv, address,
    connected: (hear) => connected.push(hear),
    get pending() { return { ...sent, ...queued } },
    listen: (hear) => { listeners.push(hear); hear(state) },
    answer: (type, hear) => { hearers[type] = hear },
    kept: KEPT,
    get state() { return state },
    get idle() { return waiting === null && !state.busy && !wordsDue },
  }
})(window.playground)
