"""The texts in assets/texts: Markdown, rendered once per process, without raw HTML."""

from __future__ import annotations

from functools import cache
from html import escape

from markdown_it import MarkdownIt
from tornado.web import RequestHandler

from app.files import assets, version

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Glossary · RMT Playground</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="{prefix}/assets/logo.svg" type="image/svg+xml">
{styles}
<script src="{prefix}/assets/math.js?{script}" defer></script>
</head>
<body>
<main class="text" id="text">
<p><a href="{prefix}/">RMT Playground</a></p>
{text}</main>
</body>
</html>
"""


@cache
def text(name: str) -> str:
    """The HTML of one text; empty where there is none."""
    file = assets() / "texts" / f"{name}.md"
    if not file.is_file():
        return ""
    return str(MarkdownIt("commonmark", {"html": False}).enable("table").render(file.read_text(encoding="utf-8")))


@cache
def glossary_page(prefix: str) -> str:
    """The glossary as a page of its own; the dialog of the labs takes its text from here."""
    sheets = ("style.css", "formulas.css")
    links = [f'<link rel="stylesheet" href="{escape(prefix)}/assets/{name}?{version(name)}">' for name in sheets]
    return _PAGE.format(
        prefix=escape(prefix), styles="\n".join(links), script=version("math.js"), text=text("glossary")
    )


class Glossary(RequestHandler):
    """Serves the glossary."""

    def initialize(self, prefix: str) -> None:
        """Take the prefix of all addresses."""
        self._prefix = prefix

    def get(self) -> None:
        """Answer."""
        self.write(glossary_page(self._prefix))
