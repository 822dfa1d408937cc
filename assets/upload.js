// The visitor's file: chosen or dropped, sent straight into the memory of this page's session.
"use strict"

// `to` is where it goes, what it may be and how large; `tell(text)` shows a message, `detach()` lets the file go.
window.playground.upload = (to, tell, detach) => {
  const { element } = window.playground
  const mib = (bytes) => `${parseFloat((bytes / 2 ** 20).toPrecision(3))} MiB`
  const input = element("input", {
    type: "file", id: "file", class: "offscreen", accept: to.endings.join(), onchange: () => send(input.files[0]),
  })
  const words = element("span", { class: "file-name" })
  const bar = element("progress", { max: 1, value: 0, hidden: true, "aria-label": "Sending the file" })
  const remove = element("button", { type: "button", hidden: true, onclick: detach }, "Remove")
  const zone = element("div", { class: "drop" },
    element("label", { for: "file", class: "choose" }, "Choose a file"), input,
    element("p", { class: "help" }, `or drop it here: ${to.endings.join(", ")}; at most ${mib(to.most)}. It stays in this page's memory only.`),
    bar, words, remove)

  function send(file) {
    if (!file) return
    if (file.size > to.most) return tell(`“${file.name}” has ${mib(file.size)}; at most ${mib(to.most)} can be opened.`)
    const request = new XMLHttpRequest()
    request.open("POST", `${to.url}?name=${encodeURIComponent(file.name)}`)
    request.upload.onprogress = (event) => { bar.value = event.loaded / event.total }
    request.onloadend = () => {
      bar.hidden = true
      input.value = ""
      if (request.status !== 204) tell(request.responseText || "The file could not be sent: the connection was lost.")
    }
    bar.hidden = false
    request.send(file)
  }

  // A file dropped beside the zone must not make the browser leave the page.
  for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault())
  document.addEventListener("dragover", () => zone.classList.add("over"))
  for (const kind of ["dragleave", "drop"]) document.addEventListener(kind, () => zone.classList.remove("over"))
  document.addEventListener("drop", (event) => send(event.dataTransfer?.files[0]))

  return {
    zone,
    show(name) {
      words.textContent = name ?? ""
      remove.hidden = !name
    },
  }
}
