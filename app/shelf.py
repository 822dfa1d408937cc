"""What a study has finished, on disk, so that a killed one goes on where it was: nothing twice, nothing lost.

Every finished task is a file of its own, written beside its place and then moved there: it is whole or not there.
When a trial is complete its tasks' files give way to one file with its rows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rmtcore.streaming import Sums

if TYPE_CHECKING:
    from app.study import Study


class Shelf:
    """The unfinished study in a folder.

    Raises
    ------
    ValueError : the folder belongs to another study.
    """

    def __init__(self, folder: Path, study: Study) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        manifest = folder / "study.json"
        if manifest.exists():
            if json.loads(manifest.read_text(encoding="utf-8")).get("key") != study.key:
                raise ValueError(f"{folder} holds another study; finish that one, remove it, or choose another name.")
        else:
            _write(manifest, json.dumps({"key": study.key}).encode())

    def rows(self, trial: int) -> list[dict[str, Any]] | None:
        """Rows of a finished trial."""
        path = self._folder / f"{trial}.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def sums(self, trial: int, task: int) -> Sums | None:
        """Result of a finished task."""
        path = self._task(trial, task)
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as kept:
            return Sums(int(kept["samples"]), kept["gram"], kept["cross"], float(kept["energy"]))

    def keep(self, trial: int, task: int, sums: Sums) -> None:
        """Keep the result of a task."""
        path = self._task(trial, task)
        draft = path.with_suffix(".part")
        with draft.open("wb") as file:
            np.savez(file, samples=sums.samples, gram=sums.gram, cross=sums.cross, energy=sums.energy)
            _flush(file)
        draft.replace(path)

    def finish(self, trial: int, rows: list[dict[str, Any]]) -> None:
        """Keep the rows of a trial, and let go of its tasks."""
        _write(self._folder / f"{trial}.json", json.dumps(rows).encode())
        for path in self._tasks(trial):
            path.unlink()

    def clear(self) -> None:
        """Remove the folder and what is in it."""
        for path in self._folder.iterdir():
            path.unlink()
        self._folder.rmdir()

    def _task(self, trial: int, task: int) -> Path:
        return self._folder / f"{trial}-{task}.npz"

    def _tasks(self, trial: int) -> Iterator[Path]:
        yield from self._folder.glob(f"{trial}-*.npz")


def _write(path: Path, data: bytes) -> None:
    draft = path.with_suffix(".part")
    with draft.open("wb") as file:
        file.write(data)
        _flush(file)
    draft.replace(path)


def _flush(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
