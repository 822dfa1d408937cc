// The controls: made from the schema, moved by the visitor, by the player and by the server's answers.
"use strict"

window.playground.element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value)
    else made.setAttribute(name, value === true ? "" : value)
  }
  made.append(...children)
  return made
}

// `wire` tells changes, says whether the server is ready for one, and which are not answered yet.
window.playground.controls = (schema, wire) => {
  const { element } = window.playground
  const byName = new Map(schema.map((setting) => [setting.name, setting]))
  const $ = (id) => document.getElementById(id)
  let held = null // the control in the visitor's hand is not moved by an answer

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
    if (s.symbol) words.append(" ", element("span", { class: "symbol" }, ...window.mathematics.symbol(s.symbol)))
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
      if (replaced) wire.drop(s.name)
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
        if (!wire.ready) return
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
      onchange: () => wire.change({ [s.name]: typed.value }, true),
    })
    const parts = [element("div", { class: "row" }, words, more, typed)]
    if (s.step) {
      const move = (final) => {
        const value = valueAt(s, Number(slider.value))
        typed.value = spoken(s, value)
        slider.setAttribute("aria-valuetext", `${s.symbol} ${spoken(s, value)} ${s.unit}`.trim())
        wire.change({ [s.name]: value }, final)
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
        onclick: () => wire.change({ [s.name]: null }, true),
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
      onchange: () => wire.change({ [s.name]: select.value || null }, true),
    }, ...options)
    return element("div", { class: "control", "data-name": s.name },
      element("div", { class: "row" }, words, more), select, help)
  }

  function flagControl(s) {
    const { words, more, help } = label(s)
    const box = element("input", {
      type: "checkbox", id: `set-${s.name}`, "aria-describedby": help.id,
      onchange: () => wire.change({ [s.name]: box.checked }, true),
    })
    return element("div", { class: "control", "data-name": s.name }, element("div", { class: "row" }, box, words, more), help)
  }

  function legendControl(s) {
    const box = element("input", {
      type: "checkbox", id: `set-${s.name}`, onchange: () => wire.change({ [s.name]: box.checked }, true),
    })
    return element("label", { class: `key ${s.name}`, "data-name": s.name, title: s.help },
      box, element("span", { class: `swatch ${s.swatch}`, "aria-hidden": "true" }), s.label)
  }

  function build() {
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

  const isShown = (s, values) => Object.entries(s.when)
    .every(([name, allowed]) => allowed.includes(values[name]) && isShown(byName.get(name), values))

  function show(state) {
    for (const s of schema) {
      const box = document.querySelector(`[data-name="${s.name}"]`)
      box.hidden = !isShown(s, state.values)
      const own = state.values[s.name]
      const value = own === null ? state.resolved?.[s.follows] ?? state.values[s.follows] : own
      box.classList.toggle("following", s.follows !== "" && own === null)
      if (held === s.name || wire.pending(s.name)) continue
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

  return { build, show, halt: (replaced) => halt(replaced) }
}
