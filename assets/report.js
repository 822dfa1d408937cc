// A page of its own with all that is shown: it needs no script and asks nobody for anything.
"use strict"

window.playground.report = (() => {
  const MOST = 5000 // rows of a table
  const STYLE = `
    body { font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; color: #1b1f24; background: #fff; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
    svg { max-width: 100%; height: auto; } figure { margin: 0; }
    h2 { font-size: 1.1rem; margin: 1.6rem 0 .4rem; border-bottom: 1px solid #d8dee4; }
    table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
    th, td { text-align: left; padding: .15rem .8rem .15rem 0; border-top: 1px solid #d8dee4; vertical-align: top; }
    .data td, .data th { text-align: right; } caption { text-align: left; color: #57606a; padding: .3rem 0; }
    .scroll { overflow: auto; max-height: 24rem; } .symbol { font-style: italic; } .soft { color: #57606a; }
    .bad { color: #9a3412; font-weight: 600; } pre { background: #f6f8fa; padding: .8rem; overflow: auto; font-size: .85rem; }
    summary { cursor: pointer; font-weight: 600; } @media print { .scroll { max-height: none; } }`

  // Everything goes in as text: nothing that anyone typed can become markup.
  function build({ share, state, caption, link, drawing, when }) {
    const page = document.implementation.createHTMLDocument(`${share.title} · ${share.release}`)
    const make = (tag, attributes = {}, ...children) => {
      const made = page.createElement(tag)
      for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
      made.append(...children)
      return made
    }
    const row = (tag, ...cells) => make("tr", {}, ...cells.map((cell) => make(tag, {}, cell)))
    const head = (...names) => make("thead", {}, make("tr", {}, ...names.map((name) => make("th", { scope: "col" }, name))))
    const section = (title, ...parts) => page.body.append(make("h2", {}, title), ...parts)

    page.documentElement.lang = "en"
    page.head.prepend(
      make("meta", { charset: "utf-8" }),
      make("meta", { "http-equiv": "Content-Security-Policy", content: "default-src 'none'; style-src 'unsafe-inline'; img-src data:" }),
      make("meta", { name: "viewport", content: "width=device-width, initial-scale=1" }))
    page.head.append(make("style", {}, STYLE))
    page.body.append(make("h1", {}, share.title),
      make("p", { class: "soft" }, `${share.release}, ${when}. The same view, live: `, make("a", { href: link }, link)),
      make("figure", {}, page.importNode(drawing, true), make("figcaption", { class: "soft", hidden: "" }, caption.join(" "))))

    section("What one sees", ...state.explain.map((text) => make("p", {}, text)))
    section("Read-outs", make("table", {}, head("", "value", ""), make("tbody", {}, ...state.readouts.map((one) => {
      const made = row("td", one.label, one.value, one.detail + (one.good === false ? " (look at this)" : ""))
      if (one.good === false) made.setAttribute("class", "bad")
      return made
    }))))
    if (state.lamps.length) {
      section("Assumptions", make("ul", {}, ...state.lamps.map((lamp) =>
        make("li", lamp.on ? { class: "bad" } : {}, lamp.on ? `${lamp.label}: left. ${lamp.text}` : `${lamp.label}: holds.`))))
    }
    section("Settings", make("table", {}, head("setting", "symbol", "value"), make("tbody", {}, ...share.settings.map((one) => {
      const made = row("td", one.label, one.symbol, one.text + (one.unit ? ` ${one.unit}` : ""))
      made.children[1].setAttribute("class", "symbol")
      return made
    }))))
    section("The same in Python", make("p", {}, "With the package rmtcore of this program:"), make("pre", {}, make("code", {}, share.python)))
    section("Data", ...state.tables.map((table) => {
      const names = Object.keys(table.columns)
      const rows = Math.max(0, ...names.map((name) => table.columns[name].length))
      const body = make("tbody")
      for (let at = 0; at < Math.min(rows, MOST); at++) {
        body.append(row("td", ...names.map((name) => {
          const value = table.columns[name][at]
          return typeof value === "number" ? String(value) : value ?? ""
        })))
      }
      const size = rows > MOST ? `first ${MOST} of ${rows} rows; the CSV file has all` : `${rows} rows`
      return make("details", { class: "data" }, make("summary", {}, `${table.caption} (${size})`),
        make("div", { class: "scroll" }, make("table", {}, head(...names), body)))
    }))
    page.body.append(make("p", { class: "soft" },
      "After Liao and Mahoney, Random Matrix Theory for Deep Learning: Beyond Eigenvalues of Linear Models, arXiv:2506.13139."))
    return `<!doctype html>\n${page.documentElement.outerHTML}\n`
  }

  return build
})()
