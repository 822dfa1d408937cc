"""rmt-sweep: the curves of a large study, on all cores or on a cluster, into one file.

    rmt-sweep curves.npz "family=shallow&activation=tanh&size=500" --vary width=0.1:10:30 --seeds 20

It can be killed at any time: the same command goes on where it was, and computes nothing twice.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.cluster import Cluster, Farm, LocalFarm, SchedulerGone, Tls, add_options
from app.shelf import Shelf

if TYPE_CHECKING:
    from app.study import Study
    from rmtcore.streaming import Chunk, Sums


def parser() -> argparse.ArgumentParser:
    """The options."""
    found = argparse.ArgumentParser(
        prog="rmt-sweep", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    found.add_argument("output", type=Path, help="file to write: .npz, or .parquet (with the extra 'study')")
    found.add_argument(
        "settings", nargs="?", default="", help="settings that stay, as in a link: name=value&name=value"
    )
    found.add_argument(
        "--vary", action="append", default=[], metavar="NAME=LOW:HIGH:COUNT", help="or NAME=A,B,C; repeat"
    )
    found.add_argument("--seeds", type=int, default=10, help="independent networks at every point")
    found.add_argument("--seed", type=int, default=1, help="the first number of every seed")
    found.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="processes on this machine")
    add_options(found)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a study; the exit code."""
    options = parser()
    chosen = options.parse_args(arguments)
    # Imported late: worker processes import this module again, and need no labs.
    from app.study import read

    try:
        write = writer(chosen.output)
        study = read(chosen.settings, chosen.vary, chosen.seeds, chosen.seed)
        shelf = Shelf(chosen.output.with_name(chosen.output.name + ".unfinished"), study)
        if chosen.workers < 1:
            raise ValueError(f"--workers must be at least 1, not {chosen.workers}")
    except ValueError as error:
        options.error(str(error))
    tls = Tls(chosen.tls_ca, chosen.tls_cert, chosen.tls_key)
    rows = run(study, shelf, chosen.workers, chosen.scheduler, tls)
    write(rows)
    shelf.clear()
    print(f"{chosen.output}: {len(rows)} rows.")
    return 0


def run(study: Study, shelf: Shelf, workers: int, scheduler: str, tls: Tls) -> list[dict[str, Any]]:
    """All rows of the study, from the shelf where they are there."""
    from tqdm import tqdm

    total = sum(1 for trial in range(len(study.trials)) for _ in study.jobs(trial))
    with tqdm(total=total, unit="task", smoothing=0.05) as bar:
        farm: Farm = LocalFarm(workers)
        if scheduler:
            try:
                farm = Cluster(scheduler, tls)
            except SchedulerGone as gone:
                bar.write(f"{gone} Going on with {workers} processes here.", file=sys.stderr)
        try:
            return _run(study, shelf, farm, bar)
        except SchedulerGone as gone:  # what came back is on the shelf
            bar.write(f"{gone} Going on with {workers} processes here.", file=sys.stderr)
            farm.close()
            farm = LocalFarm(workers)
            bar.reset(total)
            return _run(study, shelf, farm, bar)
        finally:
            farm.close()


def _run(study: Study, shelf: Shelf, farm: Farm, bar: Any) -> list[dict[str, Any]]:
    """Keep the farm busy with a few tasks more than it has workers; finish each trial as its last task comes."""
    rows: dict[int, list[dict[str, Any]]] = {}
    open_trials: dict[int, tuple[list[Chunk], dict[int, Sums]]] = {}
    running: dict[Future[Sums], tuple[int, int]] = {}

    def arrived(trial: int, task: int, sums: Sums) -> None:
        jobs, found = open_trials[trial]
        found[task] = sums
        bar.update()
        if len(found) == len(jobs):
            rows[trial] = study.rows(trial, jobs, [found[index] for index in range(len(jobs))])
            shelf.finish(trial, rows[trial])
            del open_trials[trial]

    def collect(most: int) -> None:
        while len(running) > most:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                trial, task = running.pop(future)
                sums = farm.result(future)
                shelf.keep(trial, task, sums)
                arrived(trial, task, sums)

    for trial in range(len(study.trials)):
        jobs = list(study.jobs(trial))
        kept = shelf.rows(trial)
        if kept is not None:
            rows[trial] = kept
            bar.update(len(jobs))
            continue
        open_trials[trial] = (jobs, {})
        for task, job in enumerate(jobs):
            known = shelf.sums(trial, task)
            if known is not None:
                arrived(trial, task, known)
                continue
            collect(farm.most - 1)
            running[farm.submit(job)] = (trial, task)
    collect(0)
    return [row for trial in sorted(rows) for row in rows[trial]]


def writer(path: Path) -> Callable[[list[dict[str, Any]]], None]:
    """What writes rows to a file of this name.

    Raises
    ------
    ValueError : a name that is neither .npz nor .parquet, or Parquet without its library.
    """
    if path.suffix == ".npz":
        return lambda rows: _whole(path, lambda draft: _npz(draft, rows))
    if path.suffix == ".parquet":
        try:
            import pyarrow as arrow
            from pyarrow import parquet
        except ImportError:
            raise ValueError("Parquet needs pyarrow: pip install 'rmt-playground[study]', or write .npz.") from None
        return lambda rows: _whole(path, lambda draft: parquet.write_table(arrow.Table.from_pylist(rows), draft))
    raise ValueError(f"The output must end in .npz or .parquet, not {path.name!r}.")


def _npz(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("wb") as file:
        columns: dict[str, Any] = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        np.savez(file, **columns)


def _whole(path: Path, write: Callable[[Path], None]) -> None:
    """Write beside the place and move there: the file is whole or not there."""
    draft = path.with_name(path.name + ".part")
    write(draft)
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(main())
