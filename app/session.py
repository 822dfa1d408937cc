"""One visitor on one page: settings, theory, experiment, and what the page is told."""

from __future__ import annotations

import json
import logging
import math
import secrets
from collections.abc import Hashable, Mapping
from functools import partial
from typing import Any

from bokeh.document import Document
from panel.custom import JSComponent
from panel.models.esm import DataEvent, ESMEvent

from app import tours
from app.labs.base import Lab, Report, Task, Upload
from app.parts.figure import Figure, Patch
from app.settings import Values
from app.share import sheet
from app.workers import Busy, Progress, TookTooLong, WorkerLost, Workers

_log = logging.getLogger(__name__)
_LARGEST_SEED = 999_999


class NotUnderstood(ValueError):
    """A message that our page never sends: its sender is told, and the log is not his to fill."""


class Bridge(JSComponent):
    """Carries messages between `assets/app.js` and the session; it draws nothing itself."""

    _esm = "export function render({ model }) { window.playground.connect(model) }"

    def __init__(self, session: Session) -> None:
        super().__init__(width=0, height=0, margin=0)
        self._session = session

    def _server_event(self, doc: Document, event: DataEvent) -> None:
        """A message of the page, taken while Bokeh holds the document's lock; Panel would put it off, unlocked."""
        self._session.receive(event.data)

    def tell(self, message: Mapping[str, Any]) -> None:
        """Send one message to the page: as one text, which costs a tenth of Bokeh's own encoding.

        By Bokeh's own way, in the order in which they are told; the document's lock is held. Panel's ``_send_msg``
        puts a message aside while another is being written, and may leave it there until the next one (seen with
        Panel 1.9: in ``panel.io.document._dispatch_msgs`` what comes during the await loses its turn).
        """
        model, _ = next(iter(self._models.values()))  # the one of this page, under several names
        model.document.callbacks.send_event(ESMEvent(model=model, data=json.dumps(message, allow_nan=False)))


class Session:
    """What one visitor sees. All of it runs in the event loop; experiments go to the workers."""

    def __init__(self, lab: Lab, workers: Workers, query: str, document: Document) -> None:
        self.lab, self._workers, self._document = lab, workers, document
        self.values, self._notices = lab.schema.from_query(query)
        if workers.pressed:
            self._begin_smaller(lab.smaller(lab.schema.given(query)))
        self.figures = {name: Figure(declare) for name, declare in lab.figures.items()}
        self.bridge = Bridge(self)
        self._file: Upload | None = None
        self._theory: Any = None
        self._observed: Any = None
        self._task: Task | None = None  # the experiment that belongs to the present settings
        self._round = 0  # rounds of it that have arrived
        self._stopped = False
        self._rests = False  # the next round is not asked for: nobody watches
        self._doing = ""  # what the workers are at, or why they are not
        self._stale = True
        self._table_open = False
        self._share_open = False
        self._place = ""  # what was said about where experiments run
        self._greeted = False  # Bokeh drops what is written between building the page and its first message
        try:
            self._show()
        except Exception as error:
            self._notices.append(self._log(error))
            self.values = lab.schema.defaults()
            self._show()

    def _begin_smaller(self, changes: Values) -> None:
        """Many are waiting: ask for less, where the link does not say how much."""
        if changes:
            self.values, _ = self.lab.schema.update(self.values, changes)
            named = " and ".join(
                f"{self.lab.schema.by_name[name].label} {self.lab.schema.by_name[name].show(value)}"
                for name, value in changes.items()
            )
            self._notices.append(f"Many visitors are drawing just now, so this page begins smaller: {named}.")

    def boot(self) -> dict[str, Any]:
        """What the page starts from."""
        return {
            "schema": self.lab.schema.describe(),
            "state": self.state(),
            "ghosts": any(figure.has_ghosts for figure in self.figures.values()),
            "presets": self.lab.presets,
            "picks": type(self.lab).pick is not Lab.pick,
        }

    def state(self, reply_to: int | None = None, final: bool = True) -> dict[str, Any]:
        """All that the page shows besides the figures."""
        values = self._resolved
        observed = None if self._stale else self._observed
        report: Report = self.lab.report(values, self._theory, observed)
        if self._workers.notice != self._place:
            self._place = self._workers.notice
            self._notices.append(self._place)
        notices, self._notices = [*self._notices, *report.notices], []
        state = {
            "type": "state",
            "id": reply_to,
            "final": final,
            "values": self.values,
            "resolved": self.lab.schema.resolved(self.values),
            "file": self._file.name if self._file else None,
            "query": self.lab.schema.to_query(self.values),
            "busy": self._busy,
            "progress": [self._round, self._task.total if self._task else 1],
            "doing": self._doing,
            "figures": self.lab.visible(values),
            "notices": notices,
            "readouts": [vars(readout) for readout in report.readouts],
            "lamps": [vars(lamp) | {"theorem": self.lab.formulas.assumes.get(lamp.label, "")} for lamp in report.lamps],
            "explain": report.explain,
            "keys": [vars(key) for key in report.keys],
            "formulas": self.lab.formulas.numbers(values, self._theory, observed),
            "sketches": [vars(sketch) for sketch in report.sketches],
        }
        if (self._table_open or self._share_open) and final:
            state["tables"] = [table.plain() for table in self.lab.table(values, self._theory, observed)]
        if self._share_open and final:
            state["share"] = sheet(self.lab, self.values, self.lab.python(values, self._theory, observed))
        return state | {"news": self._news()}

    def _news(self) -> dict[str, Patch]:
        """What has changed in the figures since the page was last told."""
        return {name: news for name, figure in self.figures.items() if (news := figure.news())}

    @property
    def _resolved(self) -> Values:
        """What the lab gets: every setting filled in, and the visitor's file where it takes one."""
        values = self.lab.schema.resolved(self.values)
        return values | {"file": self._file} if self.lab.files else values

    @property
    def _busy(self) -> bool:
        rounds = self._task.total if self._task else 0
        return not self._stopped and (self._stale or self._round < rounds)

    @property
    def _watched(self) -> bool:
        """Whether a page is connected: one that was closed must not keep the workers busy until its session ends."""
        session = getattr(self._document.session_context, "session", None)
        return session is None or session.connection_count > 0

    def receive(self, message: Any) -> None:
        """Handle one message of the page; whatever fails, the page lives on."""
        reply_to = message.get("id") if isinstance(message, dict) else None
        reply_to = reply_to if isinstance(reply_to, int) else None
        before = dict(vars(self))
        try:
            if not isinstance(message, dict):
                raise NotUnderstood("A message must be an object.")
            if message.get("type") == "tour":  # of the visitor's own: it changes nothing here
                self.bridge.tell({"type": "tour", "id": reply_to} | tours.answer(message))
                return
            final = message.get("final") is not False
            self._apply(message)
            self.bridge.tell(self.state(reply_to, final))
        except Exception as error:
            self._go_back(before)
            self._apologise(error, reply_to)

    def attach(self, file: Upload | None) -> None:
        """Take a visitor's file, or let go of the one there was."""
        self._document.add_next_tick_callback(lambda: self.receive({"type": "file", "file": file}))

    def close(self) -> None:
        """The visitor left."""
        self._workers.forget(self)

    def _apply(self, message: dict[str, Any]) -> None:
        """Do what the message asks."""
        kind = message.get("type")
        if kind == "table":
            self._table_open = message.get("open") is True
        elif kind == "share":
            self._share_open = message.get("open") is True
        elif kind == "stop":
            self._stopped, self._doing = True, ""
            self._workers.forget(self)
        elif kind == "snapshot":
            for figure in self.figures.values():
                figure.snapshot(message.get("keep") is True)
        elif kind == "hello":
            self._greet()
        elif kind == "file":  # the page itself can only send that there is none
            file = message.get("file")
            self._file = file if isinstance(file, Upload) else None
            self._show()
        else:
            self.values, self._notices = self._changed(message)
            self._show()

    def _greet(self) -> None:
        """The page has connected, or connected again."""
        if self._greeted:  # its connection was cut: it may have missed anything
            for figure in self.figures.values():
                figure.repeat()
        self._greeted = True
        if self._rests and self._busy:
            self._rests = False
            self._submit()

    def _changed(self, message: dict[str, Any]) -> tuple[Values, list[str]]:
        """The settings after the message, and notices."""
        kind, schema = message.get("type"), self.lab.schema
        if kind == "set":
            changes = message.get("values")
            if not isinstance(changes, dict):
                raise NotUnderstood("A change needs an object of values.")
            return schema.update(self.values, changes)
        if kind == "pick":
            return schema.update(self.values, self._picked(message))
        if kind in ("query", "preset"):
            return schema.from_query(str(message.get("search", "")))
        if kind == "draw":
            return self.values | {"seed": (int(self.values["seed"] or 0) + 1) % (_LARGEST_SEED + 1)}, []
        if kind == "reset":
            return schema.defaults(), []
        raise NotUnderstood(f"Unknown message {str(kind)[:20]!r}.")

    def _picked(self, message: dict[str, Any]) -> Values:
        """The changes that a click or drag in a figure asks for, where the lab says so."""
        name, place = message.get("figure"), (message.get("x"), message.get("y"))
        x, y = (float(one) if isinstance(one, (int, float)) else math.nan for one in place)
        if not isinstance(name, str) or name not in self.figures or math.isnan(x) or math.isnan(y):
            return {}
        picked = self.lab.pick(self._resolved, name, *self.figures[name].inside(x, y))
        hidden = message.get("hidden")
        hidden = hidden if isinstance(hidden, list) else []
        free = {setting: value for setting, value in picked.items() if setting not in hidden}
        if len(free) < len(picked):  # a switch that comes with what is hidden would move it as well
            switches = {one.name for one in self.lab.schema.settings if one.kind in ("flag", "choice")}
            free = {setting: value for setting, value in free.items() if setting not in switches}
        return free

    def _show(self) -> None:
        """Theory now; the experiment from the workers, unless the draw stays the same."""
        values = self._resolved
        self._theory = self.lab.equivalent(values)
        task = self.lab.experiment(values)
        if self._task is None or task.key != self._task.key:
            self._task, self._round, self._stale, self._stopped = task, 0, True, False
            self._doing, self._rests = "", False
            self._submit()
        self._paint(values)

    def _submit(self) -> None:
        """Ask the workers for the next round."""
        task = self._task
        if task is not None:
            key = (task.key, self._round)
            args = task.args if task.rounds is None else (*task.args, self._round)
            about: Any = {"keep": task.keep, "limit": task.limit, "work": self.lab.work(self._resolved)}
            hear, deliver = partial(self._heard, key), partial(self._arrived, task)
            self._workers.submit(self, key, task.function, *args, deliver=deliver, hear=hear, **about)

    def _paint(self, values: Values) -> None:
        self.lab.paint(self.figures, values, self._theory, self._observed, self._stale)

    def _arrived(self, task: Task, result: Any) -> None:
        # Outside the document's lock nothing may be written: Bokeh would drop it.
        self._document.add_next_tick_callback(partial(self._accept, task, result))

    def _heard(self, key: Hashable, progress: Progress) -> None:
        self._document.add_next_tick_callback(partial(self._tell_progress, key, progress))

    def _tell_progress(self, key: Hashable, progress: Progress) -> None:
        # It comes by another way than results, and may come after the one of its round.
        if self._task is not None and key == (self._task.key, self._round) and not self._stopped:
            self._doing = progress.text
            if self._greeted:
                self.bridge.tell({"type": "progress", "doing": self._doing})

    def _accept(self, task: Task, result: Any) -> None:
        if task is not self._task:
            return
        try:
            if isinstance(result, BaseException):
                self._task, self._stopped = None, True  # so that the same settings may be tried again
                self._doing = "not drawn"
                raise result
            self._doing = ""
            self._observed = result if self._round == 0 else self.lab.merge(self._observed, result)
            self._round, self._stale = self._round + 1, False
            if self._round < task.total and not self._stopped:
                self._rests = not self._watched
                if not self._rests:
                    self._submit()
            self._paint(self._resolved)
            if self._greeted:
                self.bridge.tell(self.state())
        except Exception as error:
            if self._greeted:
                self._apologise(error, None)
            else:
                self._notices.append(self._log(error))  # the page hears of it in its first state

    def _go_back(self, before: dict[str, Any]) -> None:
        """Back to the settings, theory and experiment from before a message that failed."""
        asked_anew = self._task is not before["_task"]
        vars(self).update(before)
        if asked_anew:
            self._workers.forget(self)
            if self._busy:
                self._submit()
        try:
            self._paint(self._resolved)
        except Exception as error:
            self._log(error)

    def _apologise(self, error: Exception, reply_to: int | None) -> None:
        text = self._log(error)
        told = {"text": text, "values": self.values, "busy": self._busy, "doing": self._doing, "news": self._news()}
        self.bridge.tell({"type": "error", "id": reply_to} | told)

    def _log(self, error: Exception) -> str:
        """What to tell the visitor, calmly and with a number; the log has the rest."""
        if isinstance(error, TookTooLong):
            _log.warning("Lab %s: an experiment took longer than %g s.", self.lab.name, error.seconds)
            return f"This experiment took longer than {error.seconds:g} s and was ended. Choose a smaller size."
        if isinstance(error, Busy):
            _log.warning("Lab %s: an experiment was refused, %.0f s of work in line.", self.lab.name, error.seconds)
            again = "Move a control, or choose “New draw”, to try again; the theory needs no waiting."
            return f"Busy: too many are waiting (about {error.seconds:.0f} s), so this is not drawn. {again}"
        if isinstance(error, NotUnderstood):  # /metrics counts it
            _log.info("Lab %s: a message was not understood.", self.lab.name)
            return f"The server did not understand: {error} Nothing has changed."
        reference = secrets.token_hex(4)
        _log.error("Reference %s, lab %s", reference, self.lab.name, exc_info=error)
        if isinstance(error, WorkerLost):
            text = "The process that was drawing this died twice. Choose “New draw”, or a smaller size."
        else:
            text = "Something went wrong here; the rest of the page works, with the settings that you see."
        return f"{text} (Reference {reference})"
