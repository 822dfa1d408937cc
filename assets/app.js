// The page: controls from the schema, read-outs from the server, history, theme. The server validates everything.
"use strict"

window.playground = (() => {
  const boot = JSON.parse(document.getElementById("boot").textContent)
  const schema = boot.schema
  const byName = new Map(schema.map((setting) => [setting.name, setting]))
  const $ = (id) => document.getElementById(id)
  let state = boot.state
  let model = null // Bokeh's end of the wire
  let waiting = null // number of the message whose answer is awaited
  let number = 0
  let queued = {} // changes made meanwhile: the newest value of each wins
  let queuedFinal = false
  let held = null // the control in the visitor's hand is not moved by an answer
  let lastPush = { time: 0, names: "" }

  // ---- the wire: one message at a time, so that a drag never runs ahead of what is painted ----
  function send(message) {
    waiting = ++number
    model.send_msg({ ...message, id: waiting })
  }

  function change(values, final) {
    Object.assign(queued, values)
    queuedFinal = queuedFinal || final
    flush()
  }

  function flush() {
    if (model === null || waiting !== null) return
    if (Object.keys(queued).length === 0 && !queuedFinal) return
    const message = { type: "set", values: queued, final: queuedFinal }
    queued = {}
    queuedFinal = false
    send(message)
  }

  function ask(message) {
    if (model === null) return
    if (["query", "reset"].includes(message.type)) halt()
    queued = {}
    send({ ...message, final: true })
  }

  function receive(message) {
    const own = message.id !== null && message.id === waiting
    if (own) waiting = null
    if (message.type === "error") {
      notify([message.text], "error")
      state = { ...state, values: message.values, busy: message.busy }
      showBusy()
      showControls()
    } else {
      const asked = own ? lastKind : ""
      state = message
      show()
      if (own && message.final && !["query", "hello", "stop", "snapshot", "table"].includes(asked)) remember()
    }
    flush()
  }

  let lastKind = ""
  const plainSend = send
  send = function (message) {
    lastKind = message.type
    plainSend(message)
  }

  function connect(wire) {
    model = wire
    model.on("msg:custom", (message) => receive(message))
    themeFigures()
    send({ type: "hello" })
    document.documentElement.dataset.ready = "yes"
  }

  // ---- history: one entry a move, none while dragging ----
  function address() {
    const kept = new URLSearchParams(location.search)
    const query = new URLSearchParams(state.query)
    if (kept.has("theme")) query.set("theme", kept.get("theme"))
    const text = query.toString()
    return location.pathname + (text ? "?" + text : "")
  }

  function remember() {
    const target = address()
    if (target === location.pathname + location.search) return
    const names = [...new URLSearchParams(state.query).keys()].sort().join()
    // A slider under an arrow key sends many final values: they are one move.
    const now = performance.now()
    const same = now - lastPush.time < 700 && names === lastPush.names
    history[same ? "replaceState" : "pushState"]({}, "", target)
    lastPush = { time: now, names }
  }

  window.addEventListener("popstate", () => ask({ type: "query", search: location.search }))

  // ---- numbers and slider positions ----
  const steps = (s) =>
    s.log ? Math.round(Math.log10(s.high / s.low) * s.step) : Math.round((s.high - s.low) / s.step)

  function valueAt(s, position) {
    const share = position / steps(s)
    const raw = s.log ? s.low * Math.pow(s.high / s.low, share) : s.low + (s.high - s.low) * share
    return s.kind === "integer" ? Math.round(raw) : parseFloat(raw.toPrecision(4))
  }

  function positionOf(s, value) {
    const share = s.log ? Math.log(value / s.low) / Math.log(s.high / s.low) : (value - s.low) / (s.high - s.low)
    return Math.round(share * steps(s))
  }

  const spoken = (s, value) => {
    if (s.kind === "choice") return (s.choices.find(([key]) => key === value) || [value, String(value)])[1]
    if (typeof value === "number" && value !== 0 && Math.abs(value) < 1e-3) {
      return value.toExponential(2).replace(/\.?0+e/, "e") // 0.000001259 does not fit its box
    }
    return String(typeof value === "number" ? parseFloat(value.toPrecision(4)) : value)
  }

  // ---- controls ----
  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag)
    for (const [name, value] of Object.entries(attributes)) {
      if (value === false || value === null || value === undefined) continue
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value)
      else made.setAttribute(name, value === true ? "" : value)
    }
    made.append(...children)
    return made
  }

  function label(s) {
    const help = element("p", { class: "help", id: `help-${s.name}`, hidden: true }, s.help)
    const more = element("button", {
      type: "button", class: "more", "aria-expanded": "false", "aria-controls": help.id,
      "aria-label": `About ${s.label}`, title: s.help,
      onclick: () => {
        help.hidden = !help.hidden
        more.setAttribute("aria-expanded", String(!help.hidden))
      },
    }, "?")
    const words = element("label", { for: `set-${s.name}` }, s.label)
    if (s.symbol) words.append(" ", element("span", { class: "symbol" }, s.symbol))
    return { words, more, help }
  }

  // ---- the player: moves a slider by itself, no faster than the answers come ----
  let halt = () => {} // stops what plays

  function player(s, slider, move) {
    const calm = matchMedia("(prefers-reduced-motion: reduce)")
    const button = element("button", { type: "button", class: "play", onclick: () => (timer ? halt() : start()) })
    let timer = null
    const look = () => {
      button.replaceChildren(timer ? element("span", { class: "pause", "aria-hidden": "true" }) : "▶")
      button.setAttribute("aria-label", `${timer ? "Pause" : "Play"} ${s.label}`)
      button.title = timer ? "Pause" : "Play"
    }
    const stop = (replaced = false) => {
      if (!timer) return
      clearInterval(timer)
      timer = held = null
      look()
      if (replaced) delete queued[s.name]
      else move(true)
    }
    const start = () => {
      halt()
      if (Number(slider.value) >= steps(s)) slider.value = 0
      // Fewer, larger steps for those who asked for less motion: the same time in all.
      const stride = calm.matches ? 10 : 1
      halt = stop
      held = s.name
      timer = setInterval(() => {
        if (model === null || waiting !== null) return
        slider.value = Number(slider.value) + stride
        if (Number(slider.value) >= steps(s)) stop()
        else move(false)
      }, 80 * stride)
      look()
    }
    look()
    return button
  }

  function numberControl(s) {
    const { words, more, help } = label(s)
    const typed = element("input", {
      type: "text", inputmode: "decimal", class: "value", id: s.step ? `value-${s.name}` : `set-${s.name}`,
      "aria-label": s.step ? `${s.label}, value` : false, autocomplete: "off", spellcheck: "false",
      onfocus: () => s.player && halt(),
      onchange: () => change({ [s.name]: typed.value }, true),
    })
    const parts = [element("div", { class: "row" }, words, more, typed)]
    if (s.step) {
      const move = (final) => {
        const value = valueAt(s, Number(slider.value))
        typed.value = spoken(s, value)
        slider.setAttribute("aria-valuetext", `${s.symbol} ${spoken(s, value)} ${s.unit}`.trim())
        change({ [s.name]: value }, final)
      }
      const slider = element("input", {
        type: "range", id: `set-${s.name}`, min: 0, max: steps(s), step: 1, "aria-describedby": help.id,
        oninput: () => { halt(); held = s.name; move(false) },
        onchange: () => { held = null; move(true) },
      })
      parts.push(slider)
      if (s.player) parts[0].insertBefore(player(s, slider, move), typed)
    }
    if (s.follows) {
      parts[0].append(element("button", {
        type: "button", class: "follow", title: "As all layers", "aria-label": `${s.label}: as all layers`,
        onclick: () => change({ [s.name]: null }, true),
      }, "×"))
    }
    return element("div", { class: "control", "data-name": s.name }, ...parts, help)
  }

  function choiceControl(s) {
    const { words, more, help } = label(s)
    const options = s.choices.map(([value, text]) => element("option", { value }, text))
    if (s.follows) options.unshift(element("option", { value: "" }, "as all layers"))
    const select = element("select", {
      id: `set-${s.name}`, "aria-describedby": help.id,
      onchange: () => change({ [s.name]: select.value || null }, true),
    }, ...options)
    return element("div", { class: "control", "data-name": s.name },
      element("div", { class: "row" }, words, more), select, help)
  }

  function flagControl(s) {
    const { words, more, help } = label(s)
    const box = element("input", {
      type: "checkbox", id: `set-${s.name}`, "aria-describedby": help.id,
      onchange: () => change({ [s.name]: box.checked }, true),
    })
    return element("div", { class: "control", "data-name": s.name }, element("div", { class: "row" }, box, words, more), help)
  }

  function legendControl(s) {
    const box = element("input", {
      type: "checkbox", id: `set-${s.name}`, onchange: () => change({ [s.name]: box.checked }, true),
    })
    return element("label", { class: `key ${s.name}`, "data-name": s.name, title: s.help },
      box, element("span", { class: "swatch", "aria-hidden": "true" }), s.label)
  }

  function buildControls() {
    const groups = new Map()
    for (const s of schema) {
      if (s.group === "legend") {
        $("legend").append(legendControl(s))
        continue
      }
      if (!groups.has(s.group)) {
        const optional = schema.some((one) => one.group === s.group && one.follows)
        const box = optional
          ? element("details", { class: "group" }, element("summary", {}, s.group))
          : element("fieldset", { class: "group" }, element("legend", {}, s.group))
        groups.set(s.group, box)
        $("controls").append(box)
      }
      const make = { choice: choiceControl, flag: flagControl }[s.kind] ?? numberControl
      groups.get(s.group).append(make(s))
    }
  }

  const isShown = (s) =>
    Object.entries(s.when).every(([name, allowed]) => allowed.includes(state.values[name]) && isShown(byName.get(name)))

  function showControls() {
    for (const s of schema) {
      const box = document.querySelector(`[data-name="${s.name}"]`)
      box.hidden = !isShown(s)
      const own = state.values[s.name]
      const value = own === null ? state.resolved?.[s.follows] ?? state.values[s.follows] : own
      box.classList.toggle("following", s.follows !== "" && own === null)
      if (held === s.name || s.name in queued) continue
      const control = $(`set-${s.name}`)
      if (s.kind === "flag") control.checked = value
      else if (s.kind === "choice") control.value = own === null ? "" : value
      else {
        const typed = box.querySelector(".value")
        if (document.activeElement !== typed || typed.value !== String(value)) typed.value = spoken(s, value)
        if (s.step) {
          control.value = positionOf(s, value)
          control.setAttribute("aria-valuetext", `${s.symbol} ${spoken(s, value)} ${s.unit}`.trim())
        }
      }
    }
    for (const group of document.querySelectorAll("#controls > .group")) {
      group.hidden = [...group.querySelectorAll(".control")].every((control) => control.hidden)
    }
  }

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
      element("b", {}, (lamp.on ? "● " : "○ ") + lamp.label), lamp.on ? " — " + lamp.text : " holds"))
  }

  function showBusy() {
    const busy = $("busy")
    busy.classList.toggle("active", state.busy || model === null)
    const [done, rounds] = state.progress ?? [0, 1]
    const drawing = rounds > 1 ? `drawing ${done} of ${rounds}` : "drawing …"
    busy.querySelector(".text").textContent = model === null ? "connecting …" : state.busy ? drawing : "up to date"
    $("stop").hidden = !(state.busy && rounds > 1)
    for (const plot of document.querySelectorAll(".plot")) {
      plot.hidden = !(state.figures ?? []).includes(plot.id.replace("plot-", ""))
    }
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
          return element("td", {}, value === undefined || value === null ? "" : String(parseFloat(value.toPrecision(6))))
        })))
      }
      const caption = table.caption + (rows > most ? ` (first ${most} of ${rows}; the copy has all)` : "")
      return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": table.caption },
        element("table", {}, element("caption", {}, caption),
          element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name)))), body))
    })
  }

  function show() {
    showControls()
    showWords()
    showBusy()
    showTables()
    notify(state.notices || [], "")
  }

  function notify(texts, kind) {
    for (const text of texts) {
      const note = element("p", { class: `notice ${kind}` }, text, element("button", {
        type: "button", "aria-label": "Dismiss", onclick: () => note.remove(),
      }, "×"))
      $("notices").append(note)
      while ($("notices").children.length > 3) $("notices").firstChild.remove()
      setTimeout(() => note.remove(), kind === "error" ? 30000 : 12000)
    }
  }

  // ---- theme: in the browser alone, so that it costs no round trip and loses no state ----
  const INK = { light: ["#1b1f24", "#57606a", "#d8dee4"], dark: ["#e6edf3", "#a3adb8", "#30363d"] }

  function themeFigures() {
    const [ink, soft, line] = INK[document.documentElement.dataset.theme]
    const quiet = { sync: false }
    for (const doc of window.Bokeh?.documents ?? []) {
      for (const one of doc.all_models ?? doc._all_models.values()) {
        if (one.type === "LinearAxis") {
          one.setv({
            axis_label_text_color: ink, major_label_text_color: ink, axis_line_color: soft,
            major_tick_line_color: soft, minor_tick_line_color: null,
            axis_label_text_font_size: "15px", major_label_text_font_size: "13px",
            axis_label_text_font_style: "normal",
          }, quiet)
        } else if (one.type === "Grid") one.setv({ grid_line_color: line }, quiet)
        else if (one.type === "Text") one.setv({ text_color: { value: ink } }, quiet)
        else if (one.type === "ColorBar") {
          one.setv({ background_fill_color: null, major_label_text_color: ink, title_text_color: ink }, quiet)
        } else if (one.type === "Figure") {
          one.setv({ background_fill_color: null, border_fill_color: null, outline_line_color: line }, quiet)
        }
      }
    }
  }

  function setTheme(theme) {
    document.documentElement.dataset.theme = theme
    try { localStorage.setItem("theme", theme) } catch (blocked) { /* private mode: the theme lasts as long as the page */ }
    showTheme()
    themeFigures()
  }

  function showTheme() {
    const dark = document.documentElement.dataset.theme === "dark"
    $("theme").textContent = dark ? "Light" : "Dark"
    $("theme").setAttribute("aria-pressed", String(dark))
  }

  // ---- buttons ----
  async function copy(text, said) {
    try {
      await navigator.clipboard.writeText(text)
    } catch (refused) {
      // Without a secure context there is no clipboard API; a selection still copies.
      const area = element("textarea", { class: "offscreen", "aria-hidden": "true" })
      area.value = text
      document.body.append(area)
      area.select()
      document.execCommand("copy")
      area.remove()
    }
    notify([said], "")
  }

  function csv() {
    return (state.tables ?? []).map((table) => {
      const names = Object.keys(table.columns)
      const rows = Math.max(0, ...names.map((name) => table.columns[name].length))
      const lines = [`# ${table.caption}`, names.join(",")]
      for (let row = 0; row < rows; row++) lines.push(names.map((name) => table.columns[name][row] ?? "").join(","))
      return lines.join("\n")
    }).join("\n\n")
  }

  buildControls()
  show()
  showTheme()
  $("draw").addEventListener("click", () => ask({ type: "draw" }))
  $("plot").addEventListener("pointerdown", () => halt(true)) // picking in a plot moves the slider itself
  $("stop").addEventListener("click", () => ask({ type: "stop" }))
  $("snapshot").hidden = !boot.ghosts
  $("snapshot").addEventListener("click", () => {
    const keep = $("snapshot").getAttribute("aria-pressed") !== "true"
    $("snapshot").setAttribute("aria-pressed", String(keep))
    $("snapshot").textContent = keep ? "Clear snapshot" : "Snapshot"
    ask({ type: "snapshot", keep })
  })
  $("reset").addEventListener("click", () => ask({ type: "reset" }))
  $("share").addEventListener("click", () => copy(location.origin + address(), "Link copied: it brings back exactly this view."))
  $("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"))
  $("data").addEventListener("toggle", () => ask({ type: "table", open: $("data").open }))
  $("copy-data").addEventListener("click", () => copy(csv(), "Data copied as CSV."))

  return { connect, get state() { return state }, get idle() { return waiting === null && !state.busy } }
})()
