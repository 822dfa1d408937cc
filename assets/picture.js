// Pictures of the figures that are shown: drawn anew by BokehJS as vectors, set together, with legend and caption.
"use strict"

window.playground.picture = (({ figures }) => {
  const NS = "http://www.w3.org/2000/svg"
  const FONT = 'system-ui, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif'
  const COLOURS = {
    light: { page: "#ffffff", ink: "#1b1f24", soft: "#57606a" },
    dark: { page: "#0d1117", ink: "#e6edf3", soft: "#a3adb8" },
  }
  const SIZES = { one: [900, 560], more: [640, 440] } // of a figure, alone or beside others
  const GAP = 20

  const svg = (tag, attributes = {}, ...children) => {
    const made = document.createElementNS(NS, tag)
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
    made.append(...children)
    return made
  }

  // BokehJS draws a hidden copy: the figure on the page stays as it is.
  async function vector(name, theme, [width, height]) {
    const copy = figures.copy(name)
    const root = copy.roots()[0]
    root.setv({ output_backend: "svg", sizing_mode: "fixed", width, height, toolbar_location: null })
    figures.dress(copy, theme)
    const box = document.createElement("div")
    box.className = "studio"
    box.setAttribute("aria-hidden", "true")
    box.style.width = `${width}px`
    box.style.height = `${height}px`
    document.body.append(box)
    try {
      const views = await Bokeh.embed.add_document_standalone(copy, box)
      const view = views.get(root)
      await view.ready
      for (let turn = 0; turn < 2; turn++) await new Promise((done) => requestAnimationFrame(done))
      const text = view.export("svg", false).ctx.get_serialized_svg(true)
      views.clear()
      return new DOMParser().parseFromString(text, "image/svg+xml").documentElement
    } finally {
      box.remove()
      copy.clear()
      Bokeh.documents.splice(Bokeh.documents.indexOf(copy), 1)
    }
  }

  // ---- words of the picture ----
  const pen = document.createElement("canvas").getContext("2d")
  function wide(text, size) {
    pen.font = `${size}px ${FONT}`
    return pen.measureText(text).width
  }

  // Words in lines that fit; what has no space in it is cut.
  function folded(text, size, width) {
    const lines = [""]
    for (const word of text.split(" ").flatMap((one) => (wide(one, size) > width ? one.match(/.{1,60}/gu) : [one]))) {
      const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word
      if (wide(longer, size) <= width) lines[lines.length - 1] = longer
      else lines.push(word)
    }
    return lines
  }

  function sample({ colour, dash }, x, y) {
    const middle = y - 5
    if (dash === "area") return svg("rect", { x, y: y - 11, width: 24, height: 12, fill: colour, "fill-opacity": 0.55 })
    if (dash === "dot") return svg("circle", { cx: x + 12, cy: middle, r: 5, fill: colour })
    if (dash === "square") return svg("rect", { x: x + 7, y: middle - 5, width: 10, height: 10, fill: colour })
    const dashes = { dashed: "7 4", dotted: "2 3" }[dash]
    const line = svg("line", { x1: x, x2: x + 24, y1: middle, y2: middle, stroke: colour, "stroke-width": 3 })
    if (dashes) line.setAttribute("stroke-dasharray", dashes)
    return line
  }

  function legend(keys, width, y, colours) {
    const group = svg("g", { "font-size": 14, fill: colours.ink })
    let x = GAP
    for (const key of keys) {
      const size = 32 + wide(key.label, 14) + 20
      if (x > GAP && x + size > width) [x, y] = [GAP, y + 22]
      group.append(sample(key, x, y), svg("text", { x: x + 32, y }, key.label))
      x += size
    }
    return { group, bottom: keys.length ? y + 12 : y - 18 }
  }

  /* One picture of several figures.
     names: of the figures; theme: "light" or "dark"; keys: legend; title; lines: of the caption. */
  async function compose({ names, theme, keys, title, lines }) {
    const colours = COLOURS[theme]
    const columns = Math.min(names.length, 2)
    const [wide1, high1] = names.length === 1 ? SIZES.one : SIZES.more
    const width = columns * wide1 + (columns + 1) * GAP
    const root = svg("svg", { xmlns: NS, "font-family": FONT })
    const back = svg("rect", { width: "100%", height: "100%", fill: colours.page })
    root.append(svg("title", {}, title), back, svg("text", { x: GAP, y: 32, "font-size": 20, "font-weight": 600, fill: colours.ink }, title))
    const tall = names.length === 3 // the first one beside two others, as on the page
    for (const [index, name] of names.entries()) {
      const place = tall ? [0, 1, 3][index] : index
      const drawn = await vector(name, theme, [wide1, tall && index === 0 ? 2 * high1 + GAP : high1])
      drawn.setAttribute("x", GAP + (place % 2) * (wide1 + GAP))
      drawn.setAttribute("y", 44 + Math.floor(place / 2) * (high1 + GAP))
      root.append(document.importNode(drawn, true))
    }
    const under = 44 + Math.ceil(names.length / 2) * (high1 + GAP)
    const { group, bottom } = legend(keys, width - GAP, under + 8, colours)
    root.append(group)
    let y = bottom + 14
    const caption = svg("g", { "font-size": 13, fill: colours.soft })
    for (const line of lines.flatMap((one) => folded(one, 13, width - 2 * GAP))) {
      caption.append(svg("text", { x: GAP, y }, line))
      y += 18
    }
    root.append(caption)
    for (const [key, value] of Object.entries({ width, height: y, viewBox: `0 0 ${width} ${y}` })) root.setAttribute(key, value)
    return root
  }

  const text = (root) => new XMLSerializer().serializeToString(root)

  // Pixels of a composed picture, `scale` to a unit.
  async function pixels(root, scale) {
    const image = new Image()
    const address = URL.createObjectURL(new Blob([text(root)], { type: "image/svg+xml" }))
    try {
      image.src = address
      await image.decode()
      const canvas = document.createElement("canvas")
      canvas.width = root.getAttribute("width") * scale
      canvas.height = root.getAttribute("height") * scale
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height)
      return await new Promise((done) => canvas.toBlob(done, "image/png"))
    } finally {
      URL.revokeObjectURL(address)
    }
  }

  return { compose, pixels, text }
})(window.playground)
