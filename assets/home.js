// The map of the front page: nine small pictures, their words and links, changed in place with every state.
"use strict"

;(({ listen, boot }) => {
  if (!document.querySelector(".map")) return
  const cells = new Map(boot.state.sketches.map(({ name }) => [name, document.getElementById(`cell-${name}`)]))
  const base = location.pathname.replace(/[^/]*$/, "")

  function draw({ name, link, words, paths }) {
    const cell = cells.get(name)
    for (const path of cell.querySelectorAll("path")) path.setAttribute("d", paths[path.getAttribute("class")] ?? "")
    cell.querySelector(".caption").textContent = words
    cell.href = base + link
  }

  listen((state) => {
    for (const sketch of state.sketches) draw(sketch)
    document.querySelector(".map").classList.toggle("busy", state.busy)
  })
})(window.playground)
