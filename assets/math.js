// Mathematics in the page: short symbols as HTML, TeX as pictures drawn by Bokeh's own MathJax. Nothing is fetched
// from elsewhere, and MathJax itself only when something first asks for it.
"use strict"

window.mathematics = (() => {
  const LOW = "₀₁₂₃₄₅₆₇₈₉₊₋"
  const HIGH = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻"
  const PLAIN = "0123456789+−"
  const RUN = new RegExp(`_([A-Za-z]+)|([${LOW}]+)|([${HIGH}]+)`, "g")

  const plain = (run, set) => [...run].map((letter) => PLAIN[set.indexOf(letter)]).join("")

  function small(tag, text) {
    const made = document.createElement(tag)
    made.textContent = text
    return made
  }

  // "σ_w²" as nodes: σ, w below, 2 above.
  function symbol(text) {
    const nodes = []
    let end = 0
    for (const found of text.matchAll(RUN)) {
      nodes.push(text.slice(end, found.index))
      if (found[3]) nodes.push(small("sup", plain(found[3], HIGH)))
      else nodes.push(small("sub", found[1] ?? plain(found[2], LOW)))
      end = found.index + found[0].length
    }
    return [...nodes, text.slice(end)].filter((node) => node !== "")
  }

  // The first column of a table of symbols.
  function glossary(root) {
    for (const cell of root.querySelectorAll("td:first-child")) cell.replaceChildren(...symbol(cell.textContent))
  }

  // ---- TeX ----
  let library = null // a promise of it

  function load() {
    library ??= new Promise((resolve, reject) => {
      const script = document.createElement("script")
      script.src = document.querySelector("[data-mathjax]").dataset.mathjax
      script.onload = () => resolve(Bokeh.require("models/text/mathjax/index"))
      script.onerror = () => {
        library = null // so that it may be asked for again
        reject(new Error("MathJax did not load."))
      }
      document.head.append(script)
    })
    return library
  }

  // One formula as an element; the letters of it take the colour of the text.
  async function draw(tex, display) {
    const { tex2svg } = await load()
    const made = tex2svg(tex, { display })
    const picture = made.querySelector("svg")
    picture.style.minWidth = `${0.72 * parseFloat(picture.getAttribute("width"))}ex` // smaller cannot be read: it scrolls
    picture.setAttribute("focusable", "false")
    picture.setAttribute("role", "presentation")
    const frame = document.createElement("span")
    frame.className = display ? "math display" : "math"
    frame.append(picture)
    return frame
  }

  // Replaces \( .. \) and \[ .. \] in the text of an element.
  async function typeset(element) {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT)
    const found = []
    while (walker.nextNode()) if (/\\\(|\\\[/.test(walker.currentNode.data)) found.push(walker.currentNode)
    for (const node of found) {
      const pieces = node.data.split(/(\\\(.*?\\\)|\\\[.*?\\\])/s)
      const nodes = await Promise.all(pieces.map(async (piece, index) => {
        if (index % 2 === 0) return piece
        const frame = await draw(piece.slice(2, -2), piece[1] === "[")
        frame.setAttribute("role", "img")
        frame.setAttribute("aria-label", piece.slice(2, -2))
        return frame
      }))
      node.replaceWith(...nodes.filter((one) => one !== ""))
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    const page = document.querySelector("main#text")
    if (!page) return
    let kept = null
    try { kept = localStorage.getItem("theme") } catch (blocked) { /* private mode: as the system has it */ }
    const dark = matchMedia("(prefers-color-scheme: dark)").matches
    document.documentElement.dataset.theme = kept ?? (dark ? "dark" : "light")
    glossary(page)
  })

  return { symbol, glossary, draw, typeset }
})()
