"""Slider to paint, a one-second drag, opening a page: in headless Chromium against a server of our own.

    python tests/benchmarks/page.py

Prints a table. Nothing here gates: the figures depend on the machine.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time

import psutil
from playwright.sync_api import Page, sync_playwright

CHROMIUM = {
    "executable_path": "/usr/bin/chromium",
    "args": ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
}

# Resolves when what the page shows has changed and been painted.
TOOLS = """
window.bench = (() => {
  const source = (name) => playground.figures.find("ColumnDataSource", name)
  const painted = () => new Promise((done) => requestAnimationFrame(() => {
    const channel = new MessageChannel()
    channel.port1.onmessage = () => done(performance.now())
    channel.port2.postMessage(0)
  }))
  const move = (name, position) => {
    const slider = document.getElementById("set-" + name)
    slider.value = position
    slider.dispatchEvent(new Event("input", { bubbles: true }))
  }
  const once = (name, watched, position) => new Promise((done) => {
    const changed = source(watched).properties.data.change
    const seen = async () => {
      changed.disconnect(seen)
      done((await painted()) - start)
    }
    changed.connect(seen)
    const start = performance.now()
    move(name, position)
  })
  const drag = (name, watched, positions) => new Promise((done) => {
    const changed = source(watched).properties.data.change
    let shown = 0, last = 0, index = 0, due = false
    const seen = async () => { // counts what was painted: of two changes before one paint, the first was never seen
      if (due) return
      due = true
      last = await painted()
      due = false
      shown += 1
    }
    changed.connect(seen)
    const start = performance.now()
    const finish = (end) => {
      changed.disconnect(seen)
      done([shown, last - end])
    }
    const step = () => {
      if (index === positions.length) {
        const end = performance.now()
        setTimeout(() => finish(end), 1500)
        return
      }
      move(name, positions[index])
      index += 1
      setTimeout(step, Math.max(0, start + index * 1000 / 60 - performance.now()))
    }
    step()
  })
  return { once, drag }
})()
"""


def ready(page: Page, url: str) -> float:
    """Open a page; seconds until it is drawn and at rest."""
    start = time.perf_counter()
    page.goto(url)
    page.wait_for_function("window.playground && document.documentElement.dataset.ready && playground.idle")
    return time.perf_counter() - start


def cpu_of(process: psutil.Process) -> float:
    """CPU seconds of the server's own process."""
    times = process.cpu_times()
    return float(times.user + times.system)


def settle(page: Page) -> None:
    """Wait until nothing is on its way and all is painted: the next move must not pay for the last one."""
    page.wait_for_function("playground.idle")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))")


def measure(url: str, server: psutil.Process) -> list[tuple[str, str]]:
    """All figures, as rows of the table."""
    rows = []
    with sync_playwright() as play:
        browser = play.chromium.launch(**CHROMIUM)
        page = browser.new_page(viewport={"width": 1440, "height": 900}, bypass_csp=True)
        rows.append(("first page after the server is warm (empty cache)", f"{ready(page, url):.2f} s"))
        rows.append(("the same page again", f"{ready(page, url):.2f} s"))
        page.evaluate(TOOLS)
        page.wait_for_timeout(500)
        for name, watched, low in (("bins", "actual", 5), ("ratio", "equivalent", 20)):
            times = []
            for index in range(60):
                times.append(page.evaluate(f"bench.once('{name}', '{watched}', {low + (index * 7) % 30})"))
                settle(page)
            ordered = sorted(times)
            median, late = statistics.median(ordered), ordered[int(0.95 * len(ordered))]
            rows.append((f"slider to paint, {name}: median / 95 %", f"{median:.0f} / {late:.0f} ms"))
            positions = [low + index % 40 for index in range(60)]
            shown, lag = page.evaluate(f"bench.drag('{name}', '{watched}', {positions})")
            rows.append((f"60 moves in a second, {name}: shown, lag of the last", f"{shown}, {lag:.0f} ms"))
            settle(page)
        alone = cost_of_moves(page, server)
        rows.append(("server CPU a move, 1 session", f"{alone:.1f} ms"))
        before = cpu_of(server)
        others = [browser.new_page(bypass_csp=True) for _ in range(39)]
        for other in others:
            ready(other, url)
        rows.append(("server CPU to open a page", f"{1e3 * (cpu_of(server) - before) / len(others):.0f} ms"))
        crowd = cost_of_moves(page, server)
        rows.append(("server CPU a move, 40 sessions (ratio)", f"{crowd:.1f} ms ({crowd / alone:.2f})"))
        browser.close()
    return rows


def cost_of_moves(page: Page, server: psutil.Process) -> float:
    """Milliseconds of server CPU for one move that does not redraw."""
    before = cpu_of(server)
    for index in range(40):
        page.evaluate(f"bench.once('bins', 'actual', {5 + (index * 7) % 30})")
        settle(page)
    return 1e3 * (cpu_of(server) - before) / 40


def main() -> None:
    """Start a server, measure, stop it."""
    command = [sys.executable, "-m", "app", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline() if process.stdout else ""
        url = re.search(r"http://\S+", line)
        if url is None:
            raise RuntimeError(f"The server said {line!r}.")
        try:
            for label, value in measure(url.group() + "spectrum", psutil.Process(process.pid)):
                print(f"{label:60s} {value}")
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
