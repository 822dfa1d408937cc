// A lab in somebody's iframe: `?embed`, with the controls that `&show=ratio,depth` names, and a way to the whole page.
"use strict"

;(({ element, listen, address }) => {
  if (!("embed" in document.documentElement.dataset)) return
  const shown = new URLSearchParams(location.search).get("show")
  const wanted = new Set((shown ?? "").split(",").map((name) => name.trim()).filter(Boolean))
  const out = element("a", { class: "whole", target: "_blank", rel: "noopener" }, "Open in RMT Playground")
  document.querySelector(".stage-head").append(out)

  for (const box of document.querySelectorAll("[data-name]")) {
    const inLegend = box.closest("#legend") !== null
    const asked = wanted.has(box.dataset.name) || (inLegend && shown === null)
    box.classList.toggle("unasked", !asked)
  }

  listen(() => {
    const target = new URL(address(), location.href)
    for (const name of ["embed", "show", "hide"]) target.searchParams.delete(name)
    out.href = target
  })
})(window.playground)
