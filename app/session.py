"""One visitor on one page: settings, theory, experiment, and what the page is told."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import panel as pn
from bokeh.document import Document
from panel.custom import JSComponent

from app.labs.base import Lab, Report
from app.parts.figure import Figure
from app.settings import Values
from app.workers import WorkerLost, Workers

_log = logging.getLogger(__name__)
_LARGEST_SEED = 999_999


class Bridge(JSComponent):
    """Carries messages between `assets/app.js` and the session; it draws nothing itself."""

    _esm = "export function render({ model }) { window.playground.connect(model) }"

    def __init__(self, session: Session) -> None:
        super().__init__(width=0, height=0, margin=0)
        self._session = session

    def _handle_msg(self, data: Any) -> None:
        self._session.receive(data)

    def tell(self, message: Mapping[str, Any]) -> None:
        """Send one message to the page."""
        self._send_msg(dict(message))


class Session:
    """What one visitor sees. All of it runs in the event loop; experiments go to the workers."""

    def __init__(self, lab: Lab, workers: Workers, query: str, document: Document) -> None:
        self.lab, self._workers, self._document = lab, workers, document
        self.values, self._notices = lab.schema.from_query(query)
        self.figures = {name: Figure(declare) for name, declare in lab.figures.items()}
        self.bridge = Bridge(self)
        self._theory: Any = None
        self._observed: Any = None
        self._key: Any = None  # of the experiment that belongs to the present settings
        self._stale = True
        self._table_open = False
        self._greeted = False  # Bokeh drops what is written between building the page and its first message
        try:
            self._show()
        except Exception as error:
            self._notices.append(self._log(error))
            self.values = lab.schema.defaults()
            self._show()

    def state(self, reply_to: int | None = None, final: bool = True) -> dict[str, Any]:
        """All that the page shows besides the figures."""
        values = self.lab.schema.resolved(self.values)
        observed = None if self._stale else self._observed
        report: Report = self.lab.report(values, self._theory, observed)
        notices, self._notices = [*self._notices, *report.notices], []
        state = {
            "type": "state",
            "id": reply_to,
            "final": final,
            "values": self.values,
            "resolved": values,
            "query": self.lab.schema.to_query(self.values),
            "busy": self._stale,
            "notices": notices,
            "readouts": [asdict(readout) for readout in report.readouts],
            "lamps": [asdict(lamp) for lamp in report.lamps],
            "explain": report.explain,
        }
        if self._table_open and final:
            state["tables"] = [asdict(table) for table in self.lab.table(values, self._theory, observed)]
        return state

    def receive(self, message: Any) -> None:
        """Handle one message of the page; whatever fails, the page lives on."""
        reply_to = message.get("id") if isinstance(message, dict) else None
        reply_to = reply_to if isinstance(reply_to, int) else None
        before = self.values
        try:
            if not isinstance(message, dict):
                raise ValueError("A message must be an object.")
            final = message.get("final") is not False
            if self._apply(message):
                with pn.io.hold(self._document):
                    self._show()
                    self.bridge.tell(self.state(reply_to, final))
            else:
                self.bridge.tell(self.state(reply_to, final))
        except Exception as error:
            self.values = before
            self._apologise(error, reply_to)

    def close(self) -> None:
        """The visitor left."""
        self._workers.forget(self)

    def _apply(self, message: dict[str, Any]) -> bool:
        """Change the settings as the message asks; whether the figures need painting."""
        kind, schema = message.get("type"), self.lab.schema
        if kind == "set":
            changes = message.get("values")
            if not isinstance(changes, dict):
                raise ValueError("A change needs an object of values.")
            self.values, self._notices = schema.update(self.values, changes)
        elif kind == "query":
            self.values, self._notices = schema.from_query(str(message.get("search", "")))
        elif kind == "draw":
            self.values = self.values | {"seed": (int(self.values["seed"] or 0) + 1) % (_LARGEST_SEED + 1)}
        elif kind == "reset":
            self.values = schema.defaults()
        elif kind == "table":
            self._table_open = message.get("open") is True
            return False
        elif kind == "hello":
            self._greeted = True
        else:
            raise ValueError(f"Unknown message {str(kind)[:20]!r}.")
        return True

    def _show(self) -> None:
        """Theory now; the experiment from the workers, unless the draw stays the same."""
        values = self.lab.schema.resolved(self.values)
        self._theory = self.lab.equivalent(values)
        task = self.lab.experiment(values)
        if task.key != self._key:
            self._key, self._stale = task.key, True
            deliver = partial(self._arrived, task.key)
            self._workers.submit(self, task.key, task.function, *task.args, deliver=deliver)
        self._paint(values)

    def _paint(self, values: Values) -> None:
        self.lab.paint(self.figures, values, self._theory, self._observed, self._stale)

    def _arrived(self, key: Any, result: Any) -> None:
        # Outside the document's lock nothing may be written: Bokeh would drop it.
        self._document.add_next_tick_callback(partial(self._accept, key, result))

    def _accept(self, key: Any, result: Any) -> None:
        if key != self._key:
            return
        try:
            if isinstance(result, BaseException):
                self._key = None  # so that the same settings may be tried again
                raise result
            self._observed, self._stale = result, False
            if not self._greeted:
                return
            with pn.io.hold(self._document):
                self._paint(self.lab.schema.resolved(self.values))
                self.bridge.tell(self.state())
        except Exception as error:
            self._apologise(error, None)

    def _apologise(self, error: Exception, reply_to: int | None) -> None:
        text = self._log(error)
        self.bridge.tell({"type": "error", "id": reply_to, "text": text, "values": self.values, "busy": False})

    def _log(self, error: Exception) -> str:
        """What to tell the visitor, calmly and with a number; the log has the rest."""
        reference = secrets.token_hex(4)
        _log.error("Reference %s, lab %s", reference, self.lab.name, exc_info=error)
        if isinstance(error, WorkerLost):
            text = "The process that was drawing this died twice. Choose “New draw”, or a smaller size."
        else:
            text = "Something went wrong here; the rest of the page works, with the settings that you see."
        return f"{text} (Reference {reference})"
