// The connection: when it is lost, says so, and finds the way back; the state survives in the session, or in the address.
"use strict"

;(({ element, connected }) => {
  const page = window.playground
  const FIRST = 20_000 // ms that the first connection may take
  const SETTLED = 3_000 // ms after which a connection is taken to hold
  const LONGEST = 5_000 // ms between two attempts
  const sign = element("p", { id: "connection", role: "status", "aria-live": "polite", hidden: true })
  document.body.append(sign)
  const readyz = document.querySelector(".brand").getAttribute("href") + "readyz"
  let attempts = 0 // since the connection was lost
  let refused = 0 // attempts that failed although the server was ready: it does not know this page any more
  let settled = 0 // timer
  let leaving = false
  window.addEventListener("pagehide", () => { leaving = true })
  window.addEventListener("pageshow", () => { leaving = false })

  function say(text) {
    sign.textContent = text
    sign.hidden = text === ""
  }

  const pause = () => Math.min(LONGEST, 250 * 2 ** attempts) * (0.75 + Math.random() / 2) // not all at once

  async function isReady() {
    try {
      return (await fetch(readyz, { cache: "no-store" })).ok
    } catch (unreachable) {
      return false
    }
  }

  // The address with every setting, those too that the server has not answered yet.
  function restore() {
    const [path, query] = page.address().split("?")
    const search = new URLSearchParams(query)
    for (const [name, value] of Object.entries(page.pending)) search.set(name, value)
    leaving = true
    location.replace(path + (search.size ? `?${search}` : ""))
  }

  async function attempt(reconnect) {
    if (leaving) return
    attempts += 1
    if (!(await isReady())) {
      setTimeout(() => attempt(reconnect), pause())
    } else if (reconnect === null || refused >= 2) {
      say("Connection lost. Opening the page again with the same settings …")
      restore()
    } else {
      refused += 1
      reconnect()
    }
  }

  function lost(event) {
    if (leaving) return
    clearTimeout(settled)
    say("Connection lost. Reconnecting …")
    setTimeout(() => attempt(() => event.reconnect()), attempts === 0 ? 0 : pause())
  }

  const heard = new WeakSet() // documents
  connected((wire) => {
    clearTimeout(first)
    if (attempts > 0) say("Connected again.")
    refused = 0
    settled = setTimeout(() => {
      say("")
      attempts = 0
    }, SETTLED)
    const { document: doc } = wire.model ?? wire
    if (!doc || heard.has(doc)) return
    heard.add(doc)
    doc.on_event("connection_lost", (_, event) => lost(event))
  })

  // A page whose connection never came up: perhaps it was kept too long before it was looked at.
  const first = setTimeout(() => {
    say("No connection yet. Trying again …")
    attempt(null)
  }, FIRST)
})(window.playground)
