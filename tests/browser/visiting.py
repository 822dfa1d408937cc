"""A visitor with a real browser: what one does with the page, and what then stands in it."""

import io
import time
from urllib.parse import parse_qsl, urlsplit

from PIL import Image
from playwright.sync_api import Error

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
REST = "window.playground && document.documentElement.dataset.ready && playground.idle"

WHY = """window.playground ? JSON.stringify({
  wire: document.getElementById("busy").innerText, busy: playground.state.busy, rounds: playground.state.progress,
  idle: playground.idle, pending: playground.pending, notices: document.getElementById("notices").innerText,
}) : "no page script" """

# Recorded from before the page's own scripts run.
RECORDER = """
window.recorded = { shift: 0, boxes: null }
window.recorded.measure = () => Object.fromEntries(["plot", "controls", "readouts"].map((id) => {
  const { x, y, width, height } = document.getElementById(id).getBoundingClientRect()
  return [id, [x, y, width, height]]
}))
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.recorded.shift += entry.value
}).observe({ type: "layout-shift", buffered: true })
document.addEventListener("DOMContentLoaded", () => {
  if (document.getElementById("plot")) window.recorded.boxes = window.recorded.measure()
})
"""

MODEL = "const model = (type, name) => playground.figures.find(type, name);"


class Visit:
    """A page in a browser context of its own, and what it asked for and complained of."""

    def __init__(self, page, origin):
        self.page, self.origin = page, origin
        self.complaints, self.failed, self.urls, self.dialogs = [], [], [], []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        page.on("request", lambda request: self.urls.append(request.url))
        page.on("requestfailed", self._miss)
        page.on("response", self._see)
        page.on("websocket", lambda wire: self.urls.append(wire.url))
        page.on("dialog", self._refuse)
        page.add_init_script(RECORDER)
        # Playwright's own evaluates text inside the page, which the page's security policy forbids.
        page.wait_for_function = self._wait_for

    def _wait_for(self, condition, *, arg=None, timeout=30_000):
        deadline = time.monotonic() + timeout / 1000
        while not self._holds(condition, arg):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{condition} was not true within {timeout / 1000:.0f} s; {self._holds(WHY, None)}")
            self.page.wait_for_timeout(20)

    def _holds(self, condition, arg):
        try:
            return self.page.evaluate(condition, arg)
        except Error as error:
            if "context was destroyed" in error.message:  # the page is being left for another
                return False
            raise

    def _hear(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def _miss(self, request):
        if request.failure != "net::ERR_ABORTED":  # the page was left
            self.failed.append(f"{request.url}: {request.failure}")

    def _see(self, response):
        if response.status >= 400:
            self.failed.append(f"{response.url}: {response.status}")

    def _refuse(self, dialog):
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def assert_clean(self):
        """Nothing complained, nothing was missing, nobody else was asked."""
        assert self.complaints == []
        assert self.failed == []
        assert self.dialogs == []
        here = urlsplit(self.origin).netloc
        schemes = ("http", "https", "ws", "wss")
        assert [url for url in self.urls if urlsplit(url).scheme in schemes and urlsplit(url).netloc != here] == []

    # ---- come and wait ----
    def go(self, path="/spectrum"):
        self.page.goto(self.origin + path)
        return self.rest()

    def rest(self):
        """Wait until nothing is on its way, and until it has been painted."""
        self.page.wait_for_function(REST, timeout=60_000)
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return self

    def until(self, condition):
        """Wait for a condition in the page's words."""
        self.page.wait_for_function(condition, timeout=30_000)

    # ---- do ----
    def press(self, name, key, times=1):
        """Keys on a slider."""
        self.page.locator(f"#set-{name}").focus()
        for _ in range(times):
            self.page.keyboard.press(key)
        return self.rest()

    def drag(self, name, start, end, moves=40, before_release=lambda: None):
        """The mouse on a slider, from one share of its length to another."""
        slider = self.page.locator(f"#set-{name}")
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        thumb = 16
        across = [box["x"] + thumb / 2 + share * (box["width"] - thumb) for share in (start, end)]
        middle = box["y"] + box["height"] / 2
        self.page.mouse.move(across[0], middle)
        self.page.mouse.down()
        self.page.mouse.move(across[1], middle, steps=moves)
        before_release()
        self.page.mouse.up()
        return self.rest()

    def type(self, name, text):
        """A value by hand, ended by Enter."""
        field = self.page.locator(f'[data-name="{name}"] .value')
        field.fill(text)
        field.press("Enter")
        return self.rest()

    def choose(self, name, option):
        self.page.locator(f"#set-{name}").select_option(option)
        return self.rest()

    def click(self, selector):
        self.page.locator(selector).click()
        return self.rest()

    # ---- look ----
    def evaluate(self, script, argument=None):
        return self.page.evaluate(script, argument)

    @property
    def state(self):
        return self.evaluate("playground.state")

    @property
    def values(self):
        return self.state["values"]

    def columns(self, name):
        """The data of one element of the figure, as the browser has them."""
        return self.evaluate(
            f"(name) => {{ {MODEL} const data = model('ColumnDataSource', name).data;"
            " return Object.fromEntries(Object.entries(data).map(([key, column]) => [key, Array.from(column)])) }",
            name,
        )

    def renderer(self, name):
        """Whether one element of the figure is shown."""
        return self.evaluate(f"(name) => {{ {MODEL} return model('GlyphRenderer', name).visible }}", name)

    def figure(self):
        """Ranges, labels and colours of the figure."""
        return self.evaluate("""() => {
            const all = [...Bokeh.documents[0].all_models]
            const figure = all.find((m) => m.type === "Figure")
            const axes = all.filter((m) => m.type === "LinearAxis")
            return {
                x: [figure.x_range.start, figure.x_range.end], y: [figure.y_range.start, figure.y_range.end],
                labels: axes.map((axis) => axis.axis_label),
                ink: axes.flatMap((axis) => [axis.axis_label_text_color, axis.major_label_text_color])
                    .concat(all.filter((m) => m.type === "Text").map((m) => m.text_color.value)),
            }
        }""")

    def readouts(self):
        words = "[...one.children].slice(0, 2).map((part) => part.textContent)"
        return dict(self.evaluate(f"[...document.querySelectorAll('.readout')].map((one) => {words})"))

    def notices(self):
        return self.evaluate("[...document.querySelectorAll('.notice')].map((one) => one.firstChild.textContent)")

    def shown(self, selector):
        """Whether an element is there for the eye."""
        return self.page.locator(selector).first.is_visible()

    def controls(self):
        """Names of the controls that are not hidden."""
        present = "[...document.querySelectorAll('[data-name]')].filter((one) => !one.hidden)"
        return set(self.evaluate(f"{present}.map((one) => one.dataset.name)"))

    def box(self, selector):
        """Left, top, right, bottom in the window."""
        box = self.page.locator(selector).bounding_box()
        return box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]

    def query(self):
        return dict(parse_qsl(urlsplit(self.page.url).query))

    def picture(self):
        """What the plot looks like: (colour, number of pixels), most frequent first."""
        self.rest()
        return colours(self.page.locator("#plot").screenshot())


def colours(screenshot):
    """(colour, number of pixels) of a picture, most frequent first."""
    image = Image.open(io.BytesIO(screenshot)).convert("RGB")
    return sorted(((colour, count) for count, colour in image.getcolors(2**24)), key=lambda pair: -pair[1])


def near(picture, colour, within=40):
    """How many pixels have about this colour."""
    return sum(count for one, count in picture if max(abs(a - b) for a, b in zip(one, colour, strict=True)) <= within)


def contrast(first, second):
    """WCAG contrast ratio of two colours, each (r, g, b)."""

    def luminance(colour):
        parts = [part / 255 for part in colour]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    bright, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def rgb(text):
    """(r, g, b) of #rrggbb or rgb(r, g, b)."""
    if text.startswith("#"):
        return tuple(int(text[start : start + 2], 16) for start in (1, 3, 5))
    return tuple(int(float(part)) for part in text[text.index("(") + 1 : -1].split(",")[:3])
