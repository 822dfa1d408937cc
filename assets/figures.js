// The figures: drawn from their blueprints, then patched in place with what the server says has changed.
"use strict"

window.playground = {}

window.playground.figures = (() => {
  const figures = new Map() // name -> its document, its parts, the columns it holds
  let thick = 1 // factor of line widths and marker sizes
  let intercept = null // takes clicks and drags before the lab does
  const INK = { light: ["#1b1f24", "#57606a", "#d8dee4", "#ffffff"], dark: ["#e6edf3", "#a3adb8", "#30363d", "#0d1117"] }

  const FINGER = matchMedia("(pointer: coarse)").matches

  // Bokeh looks each colour up in the page's styles at every paint, and writes the same style sheets anew. Neither is
  // of use here, and both make the browser compute all styles again: a third of the cost of a frame.
  function lighten() {
    Bokeh.require("core/visuals/visual").VisualProperties.prototype._get_css_value = () => ""
    const sheet = Bokeh.require("core/dom").InlineStyleSheet.prototype
    const update = sheet._update
    sheet._update = function (css) { if (this.el.textContent !== css) update.call(this, css) }
  }

  function build(name) {
    const blueprint = JSON.parse(document.getElementById(`figure-${name}`).textContent)
    const doc = Bokeh.require("document").Document.from_json(blueprint.doc)
    const root = doc.roots()[0]
    const parts = new Map(root.renderers.map((renderer) => [renderer.name, renderer]))
    const axes = { x: root.below[0], y: root.left[0] }
    for (const axis of Object.values(axes)) format(axis.formatter)
    if (FINGER) root.toolbar.active_drag = null // a finger on the plot scrolls the page
    return { doc, root, parts, axes, columns: new Map(), said: {}, shown: false, concealed: new Map() }
  }

  // A plot's coordinate is the value itself or its logarithm to base 10 (less a shift), so that one figure serves
  // both. Bokeh's own way to say how ticks are written compiles code in the page, which our policy forbids.
  function format(formatter) {
    formatter.scale = { log: false, shift: 0 }
    formatter.doFormat = (ticks) => {
      const { log, shift } = formatter.scale
      return ticks.map((tick) => tickText(log ? Math.pow(10, tick + shift) : tick))
    }
  }

  function tickText(v) {
    const size = Math.abs(v)
    if (v === 0) return "0"
    if (size >= 1e4 || size < 1e-3) {
      const [head, tail] = v.toExponential(1).split("e")
      const digits = "⁰¹²³⁴⁵⁶⁷⁸⁹"
      const power = tail.replace("+", "").replace("-", "⁻").replace(/[0-9]/g, (d) => digits[d])
      return (head === "1.0" ? "" : head.replace(".0", "") + "·") + "10" + power
    }
    const whole = Math.round(v)
    return String(Math.abs(v - whole) < 1e-9 * size ? whole : parseFloat(v.toPrecision(3)))
  }

  // ---- thicker lines and larger marks for a projector; the server goes on speaking of the usual ones ----
  const WIDE = ["line_width", "size"]
  const usual = new WeakMap() // glyph -> its usual widths

  function widths(glyph) {
    if (!usual.has(glyph)) {
      const found = WIDE.filter((name) => typeof glyph[name]?.value === "number")
      usual.set(glyph, Object.fromEntries(found.map((name) => [name, glyph[name].value])))
    }
    return usual.get(glyph)
  }

  function restyle(glyph, properties) {
    const known = widths(glyph)
    for (const name of WIDE) if (name in properties) known[name] = properties[name]
    const wide = Object.entries(known).map(([name, value]) => [name, { value: value * thick }])
    glyph.setv({ ...properties, ...Object.fromEntries(wide) })
  }

  // ---- numbers come as bytes in base64, a matrix with its shape ----
  const decode = Uint8Array.fromBase64 ?? ((text) => {
    const letters = atob(text)
    const bytes = new Uint8Array(letters.length)
    for (let at = 0; at < letters.length; at++) bytes[at] = letters.charCodeAt(at)
    return bytes
  })

  function unpack(column) {
    if (Array.isArray(column)) return column.map((item) => (item?.f8 === undefined ? item : unpack(item)))
    const numbers = new Float64Array(decode(column.f8).buffer)
    if (column.shape === undefined) return numbers
    return Bokeh.require("core/util/ndarray").ndarray(numbers, { dtype: "float64", shape: column.shape })
  }

  const CHANGES = {
    data(figure, label, columns) {
      const held = figure.columns.get(label) ?? {}
      for (const [key, column] of Object.entries(columns)) held[key] = unpack(column)
      figure.columns.set(label, held)
      figure.parts.get(label).data_source.data = { ...held }
    },
    show(figure, label, visible) {
      if (figure.concealed.has(label)) figure.concealed.set(label, visible)
      else figure.parts.get(label).setv({ visible })
    },
    style: (figure, label, properties) => restyle(figure.parts.get(label).glyph, properties),
    colours: (figure, label, [low, high]) => figure.parts.get(label).glyph.color_mapper.setv({ low, high }),
    range: (figure, axis, [start, end]) => figure.root[`${axis}_range`].setv({ start, end }),
    axis(figure, axis, { label, log, shift }) {
      figure.axes[axis].axis_label = label
      const formatter = figure.axes[axis].formatter
      formatter.scale = { log, shift }
      formatter.change.emit()
    },
    decades: (figure, axis, alone) => figure.axes[axis].ticker.setv({ min_interval: alone ? 1 : 0 }),
  }

  function patch(news) {
    for (const [name, changes] of Object.entries(news)) {
      const figure = figures.get(name)
      change(figure, changes)
      for (const [kind, parts] of Object.entries(changes)) {
        if (kind !== "data") figure.said[kind] = { ...figure.said[kind], ...parts }
      }
    }
  }

  function change(figure, changes) {
    for (const [kind, parts] of Object.entries(changes)) {
      for (const [part, value] of Object.entries(parts)) CHANGES[kind](figure, part, value)
    }
  }

  // A document of its own with the same figure in it, as it is now and in the frame that is seen.
  function copy(name) {
    const figure = figures.get(name)
    const made = build(name)
    for (const [label, columns] of figure.columns) made.parts.get(label).data_source.data = { ...columns }
    change(made, figure.said)
    for (const range of ["x_range", "y_range"]) {
      const { start, end } = figure.root[range]
      made.root[range].setv({ start, end })
    }
    return made.doc
  }

  // ---- drawing: once, when a figure is first seen ----
  function show(names) {
    const plots = document.getElementById("plot")
    const others = plots.dataset.count !== String(names.length)
    plots.dataset.count = names.length
    if (others && thick > 1) theme()
    for (const [name, figure] of figures) {
      const box = document.getElementById(`plot-${name}`)
      box.hidden = !names.includes(name)
      box.classList.toggle("lead", name === names[0])
      if (box.hidden || figure.shown) continue
      figure.shown = true
      Bokeh.embed.add_document_standalone(figure.doc, box)
    }
  }

  function listen(name, figure, pick) {
    const tell = (final) => (event) => {
      const place = { figure: name, x: event.x, y: event.y }
      if (intercept) intercept(place, final)
      else pick?.(place, final)
    }
    figure.root.on_event("tap", tell(true))
    if (!FINGER) {
      figure.root.on_event("pan", tell(false))
      figure.root.on_event("panend", tell(true))
    }
    figure.doc.event_manager.subscribed_models.add(figure.root)
  }

  // Parts that are not to be seen yet, whatever the server says of them meanwhile.
  function conceal(figure, labels) {
    for (const label of labels) {
      if (figure.concealed.has(label)) continue
      figure.concealed.set(label, figure.parts.get(label).visible)
      figure.parts.get(label).setv({ visible: false })
    }
  }

  function reveal(figure) {
    for (const [label, visible] of figure.concealed) figure.parts.get(label).setv({ visible })
    figure.concealed.clear()
  }

  // For a projector, or as usual again.
  function enlarge(on) {
    thick = on ? 1.8 : 1
    theme()
    for (const { root, parts } of figures.values()) {
      root.toolbar.setv({ visible: !on })
      for (const { glyph } of parts.values()) restyle(glyph, {})
    }
  }

  // Pixels of axis titles and ticks: as large for a projector as the number of plots beside each other allows.
  const TEXT = { usual: [15, 13], 1: [27, 23], 2: [23, 20], 3: [17, 15] }

  function theme() {
    for (const { doc } of figures.values()) dress(doc, document.documentElement.dataset.theme)
  }

  // Give a figure's document the colours of a theme.
  function dress(doc, name) {
    const plots = document.getElementById("plot").dataset.count
    const [titles, ticks] = (thick > 1 ? TEXT[plots] ?? TEXT[1] : TEXT.usual).map((size) => `${size}px`)
    const words = `${Math.min(18, parseFloat(ticks))}px` // in the figure itself, where there is less room
    const [ink, soft, line, paper] = INK[name]
    const axis = {
      axis_label_text_color: ink, major_label_text_color: ink, axis_line_color: soft,
      major_tick_line_color: soft, minor_tick_line_color: null,
      axis_label_text_font_size: titles, axis_label_text_font_style: "normal", major_label_text_font_size: ticks,
      axis_line_width: thick, major_tick_line_width: thick,
    }
    const looks = {
      LinearAxis: axis,
      Grid: { grid_line_color: line },
      Text: { text_color: ink, text_font_size: { value: words } },
      ColorBar: { background_fill_color: null, major_label_text_color: ink, title_text_color: ink,
        major_label_text_font_size: words, title_text_font_size: words },
      Figure: { background_fill_color: null, border_fill_color: null, outline_line_color: line },
    }
    for (const model of doc.all_models) {
      if (looks[model.type]) model.setv(looks[model.type])
      // A name on an image stands on a patch of the page's own colour: the figure has said how opaque.
      if (model.type === "Text" && (model.background_fill_alpha.value ?? 1) < 1) model.background_fill_color = paper
    }
  }

  // `pick(place, final)` is told of clicks and drags, where there is one.
  function start(pick) {
    lighten()
    for (const script of document.querySelectorAll("script[id^=figure-]")) {
      const name = script.id.replace("figure-", "")
      figures.set(name, build(name))
      listen(name, figures.get(name), pick)
      // Before it is drawn: a view that is still being built misses the change.
      if ("present" in document.documentElement.dataset) figures.get(name).root.setv({ toolbar_location: null })
    }
  }

  // A model of a figure by its type and name, for those who look in from outside.
  const find = (type, name) => [...figures.values()].flatMap(({ doc }) => [...doc.all_models])
    .find((model) => model.type === type && (name === undefined || model.name === name))

  return {
    start, patch, show, theme, dress, find, copy, conceal, reveal, enlarge,
    get: (name) => figures.get(name),
    intercept: (take) => { intercept = take },
  }
})()
