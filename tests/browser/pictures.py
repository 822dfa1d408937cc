"""Pictures of every page for looking at: light, dark, presenter and phone, one file each.

    python -m tests.browser.pictures FOLDER [--url http://localhost:5006/] [--only LAB ...]

Starts a server of its own unless an address is given.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from app.labs import LABS

CHROMIUM = {
    "executable_path": "/usr/bin/chromium",
    "args": ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
}
DESK, ROOM = {"width": 1440, "height": 900}, {"width": 1024, "height": 768}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
WAYS = {  # name -> what the browser is, what the address asks, whether all of the page is in the picture
    "light": ({"viewport": DESK, "color_scheme": "light"}, "", False),
    "dark": ({"viewport": DESK, "color_scheme": "dark"}, "", False),
    "tablet": ({"viewport": ROOM, "color_scheme": "light"}, "", False),
    "presenter": ({"viewport": ROOM, "color_scheme": "light"}, "present", False),
    "phone": ({**PHONE, "color_scheme": "light"}, "", True),
    "phone-dark": ({**PHONE, "color_scheme": "dark"}, "", True),
}
REST = "window.playground && document.documentElement.dataset.ready && playground.idle"


def take(browser: Browser, url: str, folder: Path, labs: list[str]) -> Iterator[Path]:
    """Every page in every way; the files, as they come."""
    for way, (device, query, whole) in WAYS.items():
        context = browser.new_context(bypass_csp=True, **device)
        page = context.new_page()
        for lab in labs:
            page.goto(f"{url}{lab}?{query}")
            page.wait_for_function(REST, timeout=120_000)
            page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            path = folder / f"{lab}-{way}.png"
            page.screenshot(path=path, full_page=whole)
            yield path
        context.close()


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """The address of a server that lives as long as this."""
    command = [sys.executable, "-m", "app", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            url = re.search(r"http://\S+", line)
            if url is None:
                raise RuntimeError(f"The server said {line!r}.")
            yield url.group()
        finally:
            process.terminate()


def main() -> None:
    """Read the command line, take the pictures."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("folder", type=Path)
    options.add_argument("--only", nargs="+", default=[], metavar="LAB", help="only these pages; default: all")
    options.add_argument("--url", default="", help="of a server that runs already")
    asked = options.parse_args()
    unknown = set(asked.only) - set(LABS)
    if unknown:
        options.error(f"There is no page {', '.join(sorted(unknown))}; there are {', '.join(LABS)}.")
    asked.folder.mkdir(parents=True, exist_ok=True)
    place = contextlib.nullcontext(asked.url.rstrip("/") + "/") if asked.url else serving()
    with place as url, sync_playwright() as play:
        browser = play.chromium.launch(**CHROMIUM)
        for path in take(browser, url, asked.folder, asked.only or list(LABS)):
            print(path)
        browser.close()


if __name__ == "__main__":
    main()
