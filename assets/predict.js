// Predict first: the visitor says where a curve will go, then it is shown, and how far off one was.
"use strict"

window.playground.predict = (({ element, figures, listen }) => {
  const root = document.documentElement
  const plain = (value) => String(parseFloat(value.toPrecision(3))).replace("-", "−")
  let now = null // { asked, figure, box, host, phase, cross, at, marks, query, gap }
  let state = null

  const need = (module, name) => Bokeh.require(`models/${module}`)[name]

  // ---- coordinates: values, or logarithms to base 10 ----
  function axis(figure, name) {
    const { axis_label: label, formatter } = figure.axes[name]
    const { log, shift } = formatter.scale // as assets/figures.js keeps it
    return { label: label || name, log, value: (place) => (log ? Math.pow(10, place + shift) : place) }
  }

  // Where the curve is at x: between its two points around, or at its nearer end.
  function height(xs, ys, x) {
    let best = null
    for (let i = 0; i < xs.length; i++) {
      if (!Number.isFinite(xs[i]) || !Number.isFinite(ys[i])) continue
      if (best === null || Math.abs(xs[i] - x) < Math.abs(best[0] - x)) best = [xs[i], ys[i]]
      const [x0, x1] = [xs[i - 1], xs[i]]
      if (i === 0 || x0 === x1 || (x0 - x) * (x1 - x) > 0 || !Number.isFinite(ys[i - 1])) continue
      return [x, ys[i - 1] + ((ys[i] - ys[i - 1]) * (x - x0)) / (x1 - x0)]
    }
    return best
  }

  // The mark nearest to x, at the height that was pointed at.
  function nearest(xs, x, y) {
    const there = [...xs].filter(Number.isFinite)
    return there.length ? [there.reduce((best, one) => (Math.abs(one - x) < Math.abs(best - x) ? one : best)), y] : null
  }

  function truth(x, y) {
    const data = now.figure.columns.get(now.asked.element)
    if (!data?.x?.length) return null // the workers have not drawn it yet
    return now.asked.along === "x" ? nearest(data.x, x, y) : height(data.x, data.y, x)
  }

  // ---- marks in the figure: ours alone, the server does not know of them ----
  function mark(add) {
    now.figure.root.setv({ renderers: [...now.figure.root.renderers, add] })
    now.marks.push(add)
  }

  function glyph(kind, columns, properties) {
    const source = new (need("sources/column_data_source", "ColumnDataSource"))({ data: columns })
    const made = new (need(`glyphs/${kind.toLowerCase()}`, kind))(properties)
    return new (need("renderers/glyph_renderer", "GlyphRenderer"))({ data_source: source, glyph: made, name: `predicted ${kind}` })
  }

  function drop() {
    const { root: plot } = now.figure
    plot.setv({ renderers: plot.renderers.filter((one) => !now.marks.includes(one)) })
    now.marks = []
    now.cross = null
  }

  const ink = () => getComputedStyle(root).getPropertyValue("--ink").trim()

  function drawCross() {
    const [x, y] = now.at
    if (now.cross) {
      now.cross.data_source.data = { x0: [x, -1e9], y0: [-1e9, y], x1: [x, 1e9], y1: [1e9, y] }
      return
    }
    now.cross = glyph("Segment", { x0: [x, -1e9], y0: [-1e9, y], x1: [x, 1e9], y1: [1e9, y] },
      { x0: { field: "x0" }, y0: { field: "y0" }, x1: { field: "x1" }, y1: { field: "y1" }, line_color: ink(), line_width: 1.5, line_dash: [4, 4] })
    mark(now.cross)
  }

  function drawGap([x, y], [tx, ty]) {
    mark(glyph("Segment", { x0: [x], y0: [y], x1: [tx], y1: [ty] },
      { x0: { field: "x0" }, y0: { field: "y0" }, x1: { field: "x1" }, y1: { field: "y1" }, line_color: ink(), line_width: 3, line_dash: [6, 4] }))
    mark(glyph("Scatter", { x: [x, tx], y: [y, ty], kind: ["x", "circle"] },
      { x: { field: "x" }, y: { field: "y" }, marker: { field: "kind" }, size: 16, line_color: ink(), line_width: 3, fill_color: null }))
  }

  // ---- asking ----
  // `asked`: the step's predict; `host`: the box for question and answer.
  function ask(asked, host) {
    stop()
    const figure = figures.get(asked.figure)
    const labels = [...figure.parts.keys()]
      .filter((label) => label === asked.element || label.endsWith(` ${asked.element}`) || asked.also.includes(label))
    const box = document.getElementById(`plot-${asked.figure}`)
    now = { asked, figure, box, host, phase: "asking", at: null, cross: null, marks: [], query: null, gap: null }
    figures.conceal(figure, labels)
    figures.intercept(({ figure: name, x, y }, final) => { if (final && name === asked.figure) take([x, y]) })
    root.dataset.predicting = "yes"
    box.setAttribute("tabindex", "0")
    box.setAttribute("role", "application")
    box.setAttribute("aria-label", `${asked.question} Arrow keys move a cross hair, with Shift faster; Enter places your guess.`)
    box.addEventListener("keydown", steer)
    now.words = element("p", { role: "status", "aria-live": "polite" }, element("b", {}, asked.question),
      " Click in the plot, or move a cross hair with the keys.")
    now.buttons = element("div", { class: "row" },
      element("button", { type: "button", onclick: () => box.focus() }, "Use the keys"),
      element("button", { type: "button", onclick: () => tell(null) }, "Show without a guess"))
    host.replaceChildren(now.words, now.buttons)
  }

  function steer(event) {
    if (now?.phase !== "asking") return
    const { x_range: across, y_range: up } = now.figure.root
    now.at ??= [(across.start + across.end) / 2, (up.start + up.end) / 2]
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key]
    if (event.key === "Enter") {
      event.preventDefault()
      take(now.at)
    } else if (way) {
      event.preventDefault()
      const share = event.shiftKey ? 0.1 : 0.01
      const move = (value, range, sign) => {
        const [low, high] = [Math.min(range.start, range.end), Math.max(range.start, range.end)]
        return Math.min(high, Math.max(low, value + sign * share * (range.end - range.start)))
      }
      now.at = [move(now.at[0], across, way[0]), move(now.at[1], up, way[1])]
      drawCross()
      const [x, y] = ["x", "y"].map((name, index) => {
        const one = axis(now.figure, name)
        return `${one.label}: ${plain(one.value(now.at[index]))}`
      })
      now.words.textContent = `${now.asked.question} ${x}, ${y}. Enter places your guess.`
    }
  }

  // ---- telling ----
  function take(place) {
    if (now.phase === "asking" && place.every(Number.isFinite)) tell(place)
  }

  function uncover() {
    figures.intercept(null)
    figures.reveal(now.figure)
    delete root.dataset.predicting
    now.box.removeEventListener("keydown", steer)
    now.box.removeAttribute("tabindex")
    now.box.removeAttribute("aria-label")
    now.box.setAttribute("role", "img")
    now.buttons.remove()
  }

  function tell(place) {
    drop()
    uncover()
    now.phase = place ? "waiting" : "told"
    now.at = place
    now.query = state.query
    now.words.textContent = place ? "Here it comes …" : "Here it is."
    if (place) measure()
  }

  function measure() {
    const found = truth(...now.at)
    if (found === null) return
    now.phase = "told"
    const along = now.asked.along
    const index = along === "x" ? 0 : 1
    const [line, other] = [axis(now.figure, along), axis(now.figure, along === "x" ? "y" : "x")]
    const [guess, right] = [line.value(now.at[index]), line.value(found[index])]
    const difference = guess - right
    now.gap = { guess, truth: right, difference, at: other.value(found[1 - index]) }
    const factor = line.log ? ` (a factor ${plain(Math.max(guess / right, right / guess))})` : ""
    const size = plain(Math.abs(difference))
    const way = along === "x" ? (difference > 0 ? "too far right" : "too far left") : difference > 0 ? "too high" : "too low"
    const where = along === "x" ? "Your" : `At ${other.label} ${plain(now.gap.at)}: your`
    const off = plain(guess) === plain(right) ? "Exactly." : `You were ${size} ${way}${factor}.`
    now.words.replaceChildren(`${where} guess ${plain(guess)}, in truth ${plain(right)}. `, element("b", {}, off))
    drawGap(now.at, found)
  }

  // The step is left, or other settings are shown: what was asked and told is over.
  function stop() {
    if (!now) return
    drop()
    if (now.phase === "asking") uncover()
    now.host.replaceChildren()
    now = null
  }

  listen((news) => {
    state = news
    if (now?.phase === "waiting") measure()
    if (now?.phase === "told" && now.query !== state.query) stop()
  })

  return { ask, stop, get gap() { return now?.gap ?? null }, get phase() { return now?.phase ?? "none" } }
})(window.playground)
