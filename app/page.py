"""The shell: one HTML page per lab, laid out before any script runs, with the figures and the bridge in it."""

from __future__ import annotations

import json
import re
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import panel as pn
from bokeh.settings import settings

from app.bundle import bundle
from app.files import short_hash
from app.front import front
from app.headers import nonce_of
from app.labs import LABS
from app.labs.base import Lab
from app.parts.figure import Declare, blueprint
from app.session import Session
from app.texts import text
from app.uploads import Uploads
from app.workers import Workers

_HERE = Path(__file__).parent


@cache
def _template() -> str:
    return (_HERE / "page.html").read_text(encoding="utf-8")


@cache
def _mathjax() -> str:
    """Address of Bokeh's own MathJax, below the prefix: some megabytes that the page asks for once it is painted."""
    name = "js/bokeh-mathjax.min.js"
    return f"static/{name}?v={short_hash(Path(settings.bokehjs_path()) / name)}"


@cache
def _formulas(lab: Lab) -> str:
    """What the page typesets."""
    return _for_script(lab.formulas.describe(lab.schema))


def open_page(lab: Lab, workers: Workers, uploads: Uploads, prefix: str = "") -> pn.Template:
    """Build the page of a lab for the visitor who asks for it."""
    document = pn.state.curdoc
    session = Session(lab, workers, _query(), document)
    page = pn.Template(_template())
    page.add_variable("lab", lab)
    page.add_variable("labs", list(LABS.values()))
    page.add_variable("prefix", prefix)
    page.add_variable("front", front(lab, prefix))
    page.add_variable("figures", {name: _blueprint(declare) for name, declare in lab.figures.items()})
    page.add_variable("bundle", {kind: bundle(kind).version for kind in ("js", "css")})
    nonce = _nonce()
    page.add_variable("nonce", nonce)
    page.add_variable("nonced", f'<script nonce="{nonce}"')
    page.add_variable("libraries", partial(_libraries, nonce))
    page.add_variable("formulas", _formulas(lab))
    page.add_variable("mathjax", f"{prefix}/{_mathjax()}")
    page.add_variable("about", text(lab.name))
    boot, key = session.boot(), ""
    if lab.files:
        key = uploads.open(session)
        boot["upload"] = {"url": f"{prefix}/upload/{key}", "endings": lab.files, "most": uploads.most_bytes}
    page.add_variable("boot", _for_script(boot))
    page.add_panel("bridge", session.bridge)
    page.title = f"{lab.title} · RMT Playground"
    # A bound method of an imported class: it still lives when the page's own names are gone.
    pn.state.on_session_destroyed(_Farewell(session, uploads, key))
    return page


def _libraries(nonce: str, scripts: str) -> str:
    """Bokeh's and Panel's script elements, run once the page has been laid out and painted. WebGL is not used."""
    files = re.findall(r'src="([^"]+)"', scripts)
    options = '<script type="esms-options">{"shimMode": true}</script>' if "esms-options" in scripts else ""
    deferred = [f'<script defer src="{file}"></script>' for file in files if "bokeh-gl" not in file]
    return "\n".join([options, *deferred]).replace("<script", f'<script nonce="{nonce}"')


class _Farewell:
    def __init__(self, session: Session, uploads: Uploads, key: str) -> None:
        self._session, self._uploads, self._key = session, uploads, key

    def __call__(self, _context: Any) -> None:
        self._uploads.close(self._key)
        self._session.close()


@cache
def _blueprint(declare: Declare) -> str:
    """What the page draws a figure from."""
    found = blueprint(declare)
    return _for_script({"doc": found.document, "root_id": found.root})


def _query() -> str:
    """The query string with which this page was asked for."""
    arguments: dict[str, list[bytes]] = pn.state.session_args or {}
    return urlencode({name: values[-1].decode("utf-8", "replace") for name, values in arguments.items() if values})


def _nonce() -> str:
    """The word that lets this page's inline scripts run; none where nobody asked over HTTP."""
    context = pn.state.curdoc.session_context if pn.state.curdoc else None
    request = context.request if context else None
    return nonce_of(request._request) if request is not None else ""


def _for_script(data: Any) -> str:
    """JSON that can stand inside a script element."""
    return (
        json.dumps(data, ensure_ascii=False, allow_nan=False)
        .replace("<", "\\u003c")
        .replace("\u2028", "")
        .replace("\u2029", "")
    )
