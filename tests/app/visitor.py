"""A visitor without a browser: sends the messages of the page by hand; workers that work when told to."""

from types import SimpleNamespace

from bokeh.document import Document

from app.labs.spectrum import SpectrumLab
from app.session import Session

SMALL = "size=40"


class LateWorkers:
    """Keeps every request, those superseded too, until the test has it answered."""

    def __init__(self):
        self.requests = []
        self.forgotten = []

    pressed = False
    notice = ""

    def submit(self, owner, key, function, *args, deliver, **about):
        request = SimpleNamespace(owner=owner, key=key, task=lambda: function(*args), deliver=deliver, **about)
        self.requests.append(request)

    def forget(self, owner):
        self.forgotten.append(owner)

    def status(self):
        return None


class Visitor:
    """A session, what it asked of the workers and what it told its page."""

    def __init__(self, query=SMALL, greet=True, lab=None):
        self.workers, self.document, self.told = LateWorkers(), Document(), []
        self.lab = lab or SpectrumLab()
        self.session = Session(self.lab, self.workers, query, self.document)
        self.session.bridge.tell = self.told.append
        if greet:
            self.say(type="hello")

    def say(self, **message):
        return self.say_it(message)

    def say_it(self, message):
        """Send one message; the one answer."""
        before = len(self.told)
        self.session.receive(message)
        assert len(self.told) == before + 1
        return self.told[-1]

    def set(self, **values):
        return self.say(type="set", values=values)

    def answer(self, index=-1, result=None):
        """Let the workers answer one request, by default the newest; then let the loop turn."""
        request = self.workers.requests[index]
        request.deliver(request.task() if result is None else result)
        self.turn()

    def turn(self):
        for waiting in list(self.document.session_callbacks):
            waiting.callback()  # it takes itself off the list

    def columns(self, label):
        return self.session.figures["main"].columns(label)

    def drawn(self):
        """A copy of all that the figure shows."""
        figure = self.session.figures["main"]
        return {
            label: {name: list(one) for name, one in figure.columns(label).items()} for label in figure.blueprint.labels
        }

    @property
    def values(self):
        return self.session.values


def at_rest(query=SMALL):
    one = Visitor(query)
    one.answer()
    return one
