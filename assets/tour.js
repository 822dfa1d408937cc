// Tours: a bar with the words of a step; every step is a link; other labs are other pages.
"use strict"

window.playground.tour = (({ element, dialog, keys, predict, kept, ask, notify }) => {
  const $ = (id) => document.getElementById(id)
  const root = document.documentElement
  const OWN = "own" // the name of the visitor's tour
  const KEY = "tour" // where the browser keeps it
  const here = decodeURIComponent(location.pathname.split("/").pop())
  let shipped = null // promise of the tours that come with the program
  let tour = null // the one that plays
  let name = ""
  let index = 0

  function shippedTours() {
    shipped ??= fetch("tours.json").then((reply) => {
      if (!reply.ok) throw new Error(`${reply.status}`)
      return reply.json()
    })
    return shipped
  }

  // ---- the visitor's own: it was validated when it was kept, but anyone may have written there since ----
  const isStep = (step) => ["title", "text", "settings", "query"].every((key) => typeof step?.[key] === "string") &&
    /^[\w-]+$/.test(step.lab)

  function own() {
    let found = null
    try {
      found = JSON.parse(localStorage.getItem(KEY))
    } catch (broken) {
      found = null // blocked or no JSON: as good as none
    }
    return found && typeof found.title === "string" && Array.isArray(found.steps) && found.steps.every(isStep) ? found : null
  }

  async function find(wanted) {
    if (wanted === OWN) return own()
    const all = await shippedTours()
    return Object.hasOwn(all, wanted) ? all[wanted] : null
  }

  // ---- links ----
  // "NAME.3" in one key: "step" is a setting of a lab.
  function link(of, steps, number) {
    const query = new URLSearchParams(steps[number].query)
    const present = new URLSearchParams(location.search)
    for (const one of kept) if (present.has(one) && one !== "tour") query.set(one, present.get(one))
    query.set("tour", `${of}.${number + 1}`)
    return `${steps[number].lab}?${query}`
  }

  function asked() {
    const text = new URLSearchParams(location.search).get("tour") ?? ""
    const [wanted, number] = text.split(".", 2)
    return [wanted, Number.parseInt(number, 10) - 1]
  }

  // ---- the bar ----
  const head = element("p", { class: "tour-head" })
  const title = element("h2", {})
  const text = element("div", { class: "tour-text" })
  const predicted = element("div", { class: "tour-predict" })
  const back = element("button", { type: "button", onclick: () => go(index - 1) }, "← Previous")
  const next = element("button", { type: "button", class: "next", onclick: () => (index + 1 < tour.steps.length ? go(index + 1) : open()) })
  const dots = element("ol", { class: "tour-steps", "aria-label": "Steps" })
  const end = element("button", { type: "button", title: "Leave the tour; the settings stay", onclick: leave }, "Leave tour")
  $("tour").append(
    element("div", { class: "tour-words", "aria-live": "polite" }, head, title, text), predicted,
    element("div", { class: "tour-buttons" }, back, next, dots, end))

  function paragraphs(words) {
    return words.split(/\n\s*\n/).map((one) => element("p", {}, one.replace(/\s*\n\s*/g, " ")))
  }

  function show() {
    const step = tour.steps[index]
    root.dataset.tour = "yes"
    head.textContent = `${tour.title} · step ${index + 1} of ${tour.steps.length}`
    title.textContent = step.title
    text.replaceChildren(...paragraphs(step.text))
    window.playground.typeset?.(text)
    back.disabled = index === 0
    next.textContent = index + 1 < tour.steps.length ? "Next →" : "More tours"
    dots.replaceChildren(...tour.steps.map((one, number) => element("li", {}, element("a", {
      href: link(name, tour.steps, number), title: one.title, "aria-label": `Step ${number + 1}: ${one.title}`,
      "aria-current": number === index && "step",
      onclick: (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return
        event.preventDefault()
        go(number)
      },
    }, String(number + 1)))))
    if (step.predict) predict.ask(step.predict, predicted)
    else predict.stop()
  }

  // A step of this lab comes over the wire, one of another is another page.
  function go(number) {
    if (!tour || number < 0 || number >= tour.steps.length) return
    const target = link(name, tour.steps, number)
    if (tour.steps[number].lab !== here || !root.dataset.ready) {
      location.assign(target)
      return
    }
    history.pushState({}, "", target)
    index = number
    ask({ type: "query", search: tour.steps[number].query })
    show()
  }

  function leave() {
    predict.stop()
    delete root.dataset.tour
    tour = null
    const query = new URLSearchParams(location.search)
    if (!query.has("tour")) return
    query.delete("tour")
    history.pushState({}, "", location.pathname + (query.size ? `?${query}` : ""))
    $("tours").focus()
  }

  // A link that somebody has typed: the step alone, without its settings. Where they have been reset since, the page
  // itself has made the entry.
  const isBare = (step) => step.query !== "" && history.state === null && [...new URLSearchParams(location.search).keys()].every((one) => kept.includes(one))

  // What the address says, at the start and when one goes back and forth.
  async function follow() {
    const [wanted, number] = asked()
    if (!wanted) {
      if (tour) predict.stop()
      tour = null
      delete root.dataset.tour
      return
    }
    let found = null
    try {
      found = await find(wanted)
    } catch (failed) {
      notify([`The tours could not be fetched (${failed.message}); the page works without.`], "error")
    }
    if (asked().join() !== [wanted, number].join()) return // one went on meanwhile
    if (!found) {
      notify([`There is no tour “${wanted.slice(0, 40)}” here.`], "")
      leave()
    } else if (!(number in found.steps) || found.steps[number].lab !== here || isBare(found.steps[number])) {
      location.replace(link(wanted, found.steps, number in found.steps ? number : 0))
    } else {
      [tour, name, index] = [found, wanted, number]
      show()
    }
  }

  // ---- the list ----
  const list = element("ul", { class: "tour-list" })
  const place = dialog("tours-dialog", "Tours", list)

  function row(of, one) {
    const steps = `${one.steps.length} step${one.steps.length === 1 ? "" : "s"}`
    return element("li", {}, element("a", { href: link(of, one.steps, 0) }, one.title), ` · ${steps}`,
      element("p", {}, one.summary))
  }

  async function open() {
    place.open()
    try {
      const all = await shippedTours()
      list.replaceChildren(...Object.entries(all).map(([of, one]) => row(of, one)))
    } catch (failed) {
      shipped = null // so that it may be tried again
      list.replaceChildren(element("li", {}, `The tours could not be fetched (${failed.message}).`))
    }
  }

  $("tours").addEventListener("click", open)
  window.addEventListener("popstate", follow)
  keys.add(["ArrowRight", "PageDown"], "Next step of the tour", () => go(index + 1), () => tour !== null)
  keys.add(["ArrowLeft", "PageUp"], "Previous step of the tour", () => go(index - 1), () => tour !== null)
  follow()

  return { OWN, KEY, own, link, place, get playing() { return tour && { name, index, tour } } }
})(window.playground)
