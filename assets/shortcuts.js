// Keys of the page, in one place: whoever has keys adds them here; "?" lists them all. And the dialogs of the page.
"use strict"

window.playground.dialog = (() => {
  const { element } = window.playground

  // A dialog with a heading and a button that closes it; Escape does as well. Returns { open, body }.
  return (id, title, ...children) => {
    const body = element("div", { class: "dialog-body" }, ...children)
    const box = element("dialog", { id, "aria-labelledby": `${id}-title` },
      element("div", { class: "dialog-head" }, element("h2", { id: `${id}-title` }, title),
        element("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => box.close() }, "×")),
      body)
    document.body.append(box)
    return { box, body, open: () => box.open || box.showModal(), close: () => box.close() }
  }
})()

window.playground.keys = (({ element, dialog }) => {
  const known = [] // { keys, what, act, when }
  const OFF = "single keys off" // in the browser's memory: those who speak to their computer want no single keys
  const here = dialog("keys-help", "Keys")
  let off = false
  try { off = localStorage.getItem(OFF) === "yes" } catch (blocked) { off = false }

  const TYPING = "input:not([type=range], [type=checkbox]), textarea, select, [contenteditable], dialog, [role=application]"
  const ARROWS = /^(Arrow|Page)/
  const MOVING = "input, .scroll, #controls" // what the arrows move by themselves

  function hear(event) {
    const target = event.target instanceof Element ? event.target : document.body
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
    if (target.closest(TYPING) || document.querySelector("dialog[open]")) return
    const arrow = ARROWS.test(event.key)
    if (arrow ? target.closest(MOVING) : off && event.key !== "?") return
    const found = known.find(({ keys, when }) => keys.includes(event.key.length === 1 ? event.key.toLowerCase() : event.key) && when())
    if (!found) return
    event.preventDefault()
    found.act(event.key)
  }

  function help() {
    const box = element("input", { type: "checkbox", id: "single-keys", onchange: () => {
      off = !box.checked
      try { localStorage.setItem(OFF, off ? "yes" : "no") } catch (blocked) { /* private mode: until the page is left */ }
    } })
    box.checked = !off
    const rows = known.filter(({ what }) => what).map(({ keys, what }) => element("tr", {},
      element("th", { scope: "row" }, ...keys.flatMap((key) => [element("kbd", {}, NAMES[key] ?? key.toUpperCase()), " "])),
      element("td", {}, what)))
    here.body.replaceChildren(element("table", { class: "keys" }, element("tbody", {}, ...rows)),
      element("p", {}, "* in presenter mode. None of them works while you type in a field."),
      element("label", { class: "key" }, box, "Single keys on"))
    here.open()
  }

  const NAMES = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", PageUp: "Page ↑", PageDown: "Page ↓" }
  const add = (keys, what, act, when = () => true) => known.push({ keys, what, act, when })
  document.addEventListener("keydown", hear)
  add(["?"], "All keys", help)
  return { add, help }
})(window.playground)
