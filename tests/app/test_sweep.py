"""rmt-sweep: what it computes, that a kill costs nothing, and that a cluster finds the same."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from dying import DiesOnce

import app.sweep
from app.cluster import Cluster, LocalFarm, SchedulerGone, Tls
from app.shelf import Shelf
from app.study import SCHEMA, chunk_size, read
from rmtcore import Layer, Network, Population
from rmtcore.streaming import Chunk

SMALL = "family=shallow&activation=tanh&size=40&samples=2&noise=0.1"
VARY = ["--vary", "width=0.5,1,2", "--vary", "ridge=1e-2,1"]


@pytest.fixture(autouse=True)
def small_tasks(monkeypatch):
    """Several chunks a trial though everything is small."""
    monkeypatch.setattr("app.study._SMALLEST_CHUNK", 16)
    monkeypatch.setattr("app.study._OPERATIONS", 3e6)
    monkeypatch.setattr("app.study._FRESH_SAMPLES", 400)


class Here:
    """A farm of one: this process."""

    most = 3

    def __init__(self, fail_after=10**9):
        self.left, self.done = fail_after, []

    def submit(self, task):
        from concurrent.futures import Future

        if self.left == 0:
            raise SchedulerGone("The scheduler at tcp://nowhere is gone.")
        self.left -= 1
        future = Future()
        future.set_result(task.run())
        self.done.append((task.network.feature_dim, task.seed, task.chunk, task.fresh))
        return future

    def result(self, future):
        return future.result()

    def close(self):
        pass


def rows_of(path):
    with np.load(path) as kept:
        return {name: kept[name] for name in kept}


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


@pytest.fixture
def here(monkeypatch):
    """Sweeps run in this process; the farm that they used last."""
    farms = []

    def make(workers):
        farms.append(Here())
        return farms[-1]

    monkeypatch.setattr(app.sweep, "LocalFarm", make)
    return farms


# ---- what is computed ----
def test_a_sweep_writes_a_row_for_every_point_seed_and_ridge(tmp_path, here):
    out = tmp_path / "curves.npz"
    assert app.sweep.main([str(out), SMALL, *VARY, "--seeds", "6"]) == 0
    rows = rows_of(out)
    assert len(rows["test"]) == 3 * 2 * 6
    assert sorted(set(rows["width"])) == [0.5, 1, 2]
    assert list(rows["features"]) == [round(width * n) for width, n in zip(rows["width"], rows["n"], strict=True)]
    assert set(rows["dimension"]) == {40}
    for width in (0.5, 1, 2):
        for ridge in (1e-2, 1):
            here_ = (rows["width"] == width) & (rows["ridge"] == ridge)
            test, law = rows["test"][here_], rows["test_theory"][here_][0]
            error = test.std(ddof=1) / np.sqrt(test.size)
            assert abs(test.mean() - law) < 5 * error + 0.1 * law  # what is of order 1/n at n = 80: under a tenth
    assert not (tmp_path / "curves.npz.unfinished").exists()


def test_parquet_holds_the_same(tmp_path, here):
    from pyarrow import parquet

    for name in ("a.npz", "a.parquet"):
        assert app.sweep.main([str(tmp_path / name), SMALL, *VARY, "--seeds", "2"]) == 0
    table = parquet.read_table(tmp_path / "a.parquet").to_pydict()
    rows = rows_of(tmp_path / "a.npz")
    assert list(table) == list(rows)
    assert all(np.array_equal(rows[name], table[name]) for name in rows)


def test_a_large_point_is_split_into_tasks_of_the_same_work(monkeypatch):
    monkeypatch.undo()
    study = read("family=shallow&size=1000&width=0.01", ["samples=100"], seeds=1)
    jobs = [job for job in study.jobs(0) if not job.fresh]
    assert study.networks[0].samples == sum(job.size for job in jobs) == 100_000
    assert len(jobs) > 10
    assert max(job.size for job in jobs) == chunk_size(study.networks[0])
    deep = Network(Population.identity(1000), [Layer(1000, "relu")] * 4, samples=100)
    assert chunk_size(deep) < chunk_size(study.networks[0])


# ---- a kill ----
def test_what_was_finished_is_not_computed_again(tmp_path, monkeypatch, here):
    """The farm fails in the middle; the second run does the rest, and only the rest, to the same rows."""
    out = tmp_path / "curves.npz"
    options = [str(out), SMALL, *VARY, "--seeds", "2"]
    assert app.sweep.main(options) == 0
    whole, everything = rows_of(out), here[-1].done
    assert len(set(everything)) == len(everything)
    out.unlink()
    broken = Here(fail_after=len(everything) // 2)
    monkeypatch.setattr(app.sweep, "LocalFarm", lambda workers: broken)
    with pytest.raises(SchedulerGone):
        app.sweep.main(options)
    assert not out.exists()
    rest = Here()
    monkeypatch.setattr(app.sweep, "LocalFarm", lambda workers: rest)
    assert app.sweep.main(options) == 0
    assert same(rows_of(out), whole)
    kept = len(everything) - len(rest.done)
    assert len(broken.done) - broken.most <= kept <= len(broken.done)  # what was still under way is lost, no more
    assert not set(rest.done) & set(broken.done[:kept])


def test_a_killed_sweep_goes_on(tmp_path):
    """The real command, killed with SIGKILL once something is on its shelf."""
    out = tmp_path / "curves.npz"
    settings = "family=shallow&activation=tanh&size=60&samples=50&noise=0.1"
    command = [sys.executable, "-m", "app.sweep", str(out), settings, "--vary", "width=0.05,0.1", "--seeds", "4"]
    command += ["--workers", "1"]
    shelf = tmp_path / "curves.npz.unfinished"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as one:
        deadline = time.monotonic() + 120
        while not list(shelf.glob("[0-9]*")) and one.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(one.pid, signal.SIGKILL)
    finished = {path: path.read_bytes() for path in shelf.glob("*.json") if path.name != "study.json"}
    assert not out.exists()
    assert subprocess.run(command, capture_output=True, timeout=200, check=True).returncode == 0
    rows = rows_of(out)
    assert len(rows["test"]) == 8
    assert not shelf.exists()
    assert all(b'"seed"' in text for text in finished.values())


def test_a_shelf_belongs_to_one_study(tmp_path):
    Shelf(tmp_path / "shelf", read(SMALL, [], seeds=2))
    Shelf(tmp_path / "shelf", read(SMALL, [], seeds=2))
    with pytest.raises(ValueError, match="another study"):
        Shelf(tmp_path / "shelf", read(SMALL, [], seeds=3))


# ---- bad options ----
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["out.txt"], ".npz or .parquet"),
        (["out.npz", "nonsense=1"], "nonsense"),
        (["out.npz", "size=ten"], "not a number"),
        (["out.npz", "size=1e9"], "must be"),
        (["out.npz", "--vary", "width=1:2"], "Width: “1:2” is not a number."),
        (["out.npz", "--vary", "width=a:b:c"], "low:high:count"),
        (["out.npz", "--vary", "width=-1:2:3"], "low:high:count"),
        (["out.npz", "--vary", "what=1,2"], "what"),
        (["out.npz", "ridgeless=1"], "ridge"),
        (["out.npz", "--seeds", "0"], "seed"),
        (["out.npz", "size=20000&samples=10000"], "samples"),
        (["out.npz", "--workers", "0"], "--workers"),
    ],
)
def test_a_bad_study_is_named_and_leaves_nothing(tmp_path, monkeypatch, capsys, options, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        app.sweep.main(options)
    assert end.value.code == 2
    assert said in capsys.readouterr().err
    assert not list(Path().glob("*.npz"))


def test_the_settings_of_a_study_are_those_of_the_page_with_wider_bounds():
    from app.labs import LABS

    page = LABS["double-descent"].schema.by_name
    for name, setting in SCHEMA.by_name.items():
        assert setting.symbol == page[name].symbol
        assert setting.high >= page[name].high


# ---- workers that die ----
def test_a_task_whose_process_is_killed_is_run_again(tmp_path):
    farm = LocalFarm(1)
    try:
        future = farm.submit(DiesOnce(tmp_path / "flag"))
        assert farm.result(future) == "alive"
    finally:
        farm.close()


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes behind a scheduler on loopback."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as one:
        yield one


CHUNKS = [
    Chunk(Network(Population.identity(200), [Layer(300, "relu")], samples=400), (1, 0), k, 4000, False)
    for k in range(8)
]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_cluster_that_loses_a_worker_finds_the_same(cluster):
    """One of two workers is killed while eight tasks run; all come back, as if computed here."""
    farm = Cluster(cluster.scheduler_address, Tls())
    try:
        assert farm.most == 4
        futures = [farm.submit(chunk) for chunk in CHUNKS]
        first = farm.result(futures[0])
        os.kill(next(iter(cluster.workers.values())).process.pid, signal.SIGKILL)
        found = [first, *(farm.result(future) for future in futures[1:])]
    finally:
        farm.close()
    for chunk, sums in zip(CHUNKS, found, strict=True):
        here = chunk.run()
        assert np.allclose(sums.gram, here.gram, rtol=1e-12)
        assert sums.energy == pytest.approx(here.energy, rel=1e-12)


def test_a_sweep_on_a_cluster_writes_the_same(cluster, tmp_path, here):
    for name, more in (("here.npz", []), ("there.npz", ["--scheduler", cluster.scheduler_address])):
        assert app.sweep.main([str(tmp_path / name), SMALL, *VARY, "--seeds", "2", *more]) == 0
    one, other = rows_of(tmp_path / "here.npz"), rows_of(tmp_path / "there.npz")
    assert all(np.allclose(one[name], other[name], rtol=1e-9) for name in one)


def test_without_a_scheduler_it_goes_on_here_and_says_so(tmp_path, here, capsys, monkeypatch):
    monkeypatch.setattr("app.cluster._CONNECT_SECONDS", 0.5)
    out = tmp_path / "a.npz"
    assert app.sweep.main([str(out), SMALL, "--seeds", "1", "--scheduler", "tcp://127.0.0.1:9"]) == 0
    assert "No scheduler answers at tcp://127.0.0.1:9. Going on with" in capsys.readouterr().err
    assert len(rows_of(out)["test"]) == 1
    assert here[-1].done
