"""A task that takes its worker along; apart from the tests, since the worker imports it."""

import os
import signal


class DiesOnce:
    """Dies the first time it is run: a file says whether it was."""

    def __init__(self, path):
        self.path = path

    def run(self):
        if not self.path.exists():
            self.path.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return "alive"
