"""The experiment on real data: theory, actual networks and the Gaussian twin of one labelled data set.

It stands apart from the lab because worker processes import it, and need none of the drawing. All that is slow
happens here: loading, the kernel's decomposition, the curves at every ridge, the networks.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.parts.matrix_reading import OPENING, TooLong, deadline
from app.worker_process import report
from rmtcore import (
    GivenData,
    contents,
    decompose,
    fourier,
    fourier_errors,
    gaussian_twin,
    given_data,
    given_errors,
    load,
    train_fourier,
    train_given,
)
from rmtcore.datasets import Labelled, breast_cancer, digits_pair, fetch, two_classes
from rmtcore.scaling import sweep

Array = NDArray[np.float64]

FOURIER = "fourier"
FETCHED = {"mnist": "mnist_784", "fashion": "Fashion-MNIST"}  # our names -> those on OpenML
DOWNLOAD = 900.0  # seconds that a round may take where a set must be downloaded first
LOW, HIGH = 1e-5, 1e-1  # the ridges of the paper's figure
RIDGES = tuple(float(f"{10.0 ** (quarter / 4):.4g}") for quarter in range(-28, 5))  # where the slider can stop
WIDEST = 2.5  # d/n
_TESTS = 1600  # test points at most
_IMAGES = 10_000  # kept of a fetched set
_FEWEST = 40  # rows of a file
_PATIENCE = 60.0  # seconds for which a server that did not answer is not asked again


class Source(NamedTuple):
    """Which points: the set, its classes (other None: all others), n training points, and the draw of them.

    A visitor's file takes the place of the set: its name and bytes.
    """

    name: str
    one: int
    other: int | None
    samples: int
    seed: int
    file: tuple[str, bytes] | None = None


@dataclass(frozen=True)
class Missing:
    """The data set cannot be had here, or the file not be used, and why."""

    reason: str


@dataclass(frozen=True, eq=False)
class Facts:
    """What the lab says of the data and of the kernel.

    samples, tests, dims : n, number of test points, p.  test_power : mean of y^2 over the test points.
    spread, furthest : standard deviation and maximum of |x|^2 over all points, its mean being the unit.
    route : how the kernel was found.  threshold : width at which the features fit all that they can.
    """

    samples: int
    tests: int
    dims: int
    test_power: float
    spread: float
    furthest: float
    route: str
    threshold: float


@dataclass(frozen=True, eq=False)
class Curve:
    """Errors at one ridge along the widths, (k,) each."""

    widths: Array
    train: Array
    test: Array


@dataclass(frozen=True, eq=False)
class Measured:
    """Rounds so far.

    curves, twins : theory of the data, and of Gaussian data like them, by ridge, as far as it has come.
    widths, ridges : (W,) and (G,) of the networks.  train, test : (R, W, G) their errors, R draws of the neurons.
    """

    facts: Facts
    curves: dict[float, Curve]
    twins: dict[float, Curve]
    widths: Array
    ridges: tuple[float, ...]
    train: Array
    test: Array

    def join(self, other: Measured) -> Measured:
        """Both."""
        return replace(
            self,
            curves=self.curves | other.curves,
            twins=self.twins | other.twins,
            train=np.concatenate([self.train, other.train]),
            test=np.concatenate([self.test, other.test]),
        )


def measure(source: Source, features: str, ridges: tuple[float, ...], rounds: int, index: int) -> Measured | Missing:
    """Round number `index`: one draw of the neurons at every width, and a part of the theory.

    Parameters
    ----------
    features : name of an activation, or "fourier".
    ridges : of the networks, ascending. One eigendecomposition of the kernel gives all their curves, in round 0;
        random Fourier features ask for several a point, so their rounds 1, 2, ... bring one ridge each.
    rounds : their number; the last brings the Gaussian twin, which takes longest.

    Returns
    -------
    Measured, or Missing where the data must be downloaded and cannot be, or the file cannot be used.
    """
    if source.file is None:
        try:
            return _round(_data(source), source, features, ridges, (rounds, index))
        except ConnectionError as error:
            return Missing(str(error.__cause__ or error))
    try:
        data = _opened(source, *source.file)
        return data if isinstance(data, Missing) else _round(data, source, features, ridges, (rounds, index))
    finally:  # a visitor's data do not stay in the worker
        _facts.cache_clear()
        given_data.forget()
        fourier.forget()


def _round(
    data: GivenData, source: Source, features: str, ridges: tuple[float, ...], progress: tuple[int, int]
) -> Measured:
    rounds, index = progress
    widths, seed = dot_widths(data.samples, features), (source.seed, 1 + index)
    curves: dict[float, Curve] = {}
    twins: dict[float, Curve] = {}
    if features == FOURIER:
        trial = train_fourier(data, widths[:, None], ridges, seed)
        if 0 < index <= len(ridges):
            ridge = ridges[index - 1]
            curves = {ridge: _fourier_curve(source, ridge) if source.file is None else _fourier(data, ridge)}
    else:
        trial = train_given(data, features, widths[:, None], ridges, seed)
        if index == 0:
            curves = _curves(data, features, ridges)
        if index == rounds - 1 and data.samples + data.y_test.size > 1.5 * data.X.shape[0]:
            twins = _twins(data, features, ridges)
    return Measured(_facts(data, features), curves, twins, widths, ridges, trial.train[None], trial.test[None])


def dot_widths(samples: int, features: str) -> Array:
    """Numbers of neurons at which networks are trained: even on both kinds of axis, closer at the threshold."""
    near = np.array([0.75, 0.85, 0.92, 1.0, 1.08, 1.15, 1.3]) * (0.5 if features == FOURIER else 1.0)
    shares = np.concatenate([np.geomspace(1.0 / samples, 0.7, 9), near, np.linspace(0.25, WIDEST, 10)])
    return _whole(shares * samples)


def _line_widths(samples: int) -> Array:
    """Those at which the theory is drawn; the dots are among them."""
    shares = [np.geomspace(1.0 / samples, WIDEST, 50), np.linspace(0.0, WIDEST, 126), np.linspace(0.9, 1.1, 21)]
    return np.union1d(_whole(np.concatenate(shares) * samples), dot_widths(samples, ""))


def _whole(widths: Array) -> Array:
    return np.unique(np.maximum(np.round(widths), 1.0))


def _curves(data: GivenData, activation: str, ridges: tuple[float, ...]) -> dict[float, Curve]:
    widths = _line_widths(data.samples)
    errors = given_errors(data, activation, widths[:, None], ridges)
    return {ridge: Curve(widths, errors.train[:, k], errors.test[:, k]) for k, ridge in enumerate(ridges)}


def _twins(data: GivenData, activation: str, ridges: tuple[float, ...]) -> dict[float, Curve]:
    widths = _line_widths(data.samples)
    twin = gaussian_twin(data, activation, data.samples, ridges[0])
    errors = sweep(twin, widths=widths[:, None], ridge=np.array(ridges))
    return {ridge: Curve(widths, errors.train[:, k], errors.test[:, k]) for k, ridge in enumerate(ridges)}


@lru_cache(maxsize=32)
def _fourier_curve(source: Source, ridge: float) -> Curve:
    return _fourier(_data(source), ridge)


def _fourier(data: GivenData, ridge: float) -> Curve:
    """At the widths of the networks alone: a point takes some fifty milliseconds."""
    widths = dot_widths(data.samples, FOURIER)
    errors = fourier_errors(data, widths, ridge)
    return Curve(widths, errors.train, errors.test)


@lru_cache(maxsize=16)
def _facts(data: GivenData, features: str) -> Facts:
    norms2 = np.sum(np.concatenate([data.X, data.X_test], axis=1) ** 2, axis=0)
    if features == FOURIER:
        route, threshold = "closed form", data.samples / 2.0
    else:
        one = decompose(data, features)
        route, threshold = one.route, float(one.values.size)
    return Facts(
        data.samples, data.y_test.size, data.X.shape[0], float(np.mean(data.y_test**2)),
        float(norms2.std() / norms2.mean()), float(norms2.max() / norms2.mean()), route, threshold,
    )  # fmt: skip


# ---- a visitor's points ----
def _opened(source: Source, name: str, content: bytes) -> GivenData | Missing:
    """The points of a file: a row each, the label in the last column."""
    try:
        with deadline(OPENING):
            usable = [info for info in contents(content, name) if info.usable]
            table = load(content, name, usable[0].name if usable else None).matrix
    except ValueError as refused:  # every sentence of the loader is meant for the visitor
        return Missing(str(refused))
    except TooLong:
        return Missing(f"Opening the file took more than {OPENING:g} seconds and was given up.")
    points, classes = table[:, :-1], np.unique(table[:, -1])
    if points.shape[1] < 2 or points.shape[0] < _FEWEST:
        return Missing(f"It takes at least {_FEWEST} rows and 3 columns. Got {table.shape[0]} and {table.shape[1]}.")
    if classes.size != 2:
        return Missing(f"The last column must hold the label, with two different values. It has {classes.size}.")
    if not np.any(np.ptp(points, axis=0)):
        return Missing("All rows are the same but for their label.")
    samples = min(source.samples, points.shape[0] * 3 // 4)
    X, y = two_classes(points.T, table[:, -1], float(classes[1]), float(classes[0]))
    return GivenData.split(X, y, samples, source.seed, tests=min(_TESTS, y.size - samples))


# ---- the points of a set; the last few sets stay in the worker ----
@lru_cache(maxsize=4)
def _data(source: Source) -> GivenData:
    X, y = _labelled(source.name, source.one, source.other)
    return GivenData.split(X, y, source.samples, source.seed, tests=min(_TESTS, y.size - source.samples))


@lru_cache(maxsize=4)
def _labelled(name: str, one: int, other: int | None) -> Labelled:
    if name == "cancer":
        return breast_cancer()
    if name == "digits":
        return digits_pair(one, other)
    return two_classes(*_images(FETCHED[name]), one, other)


_refused: dict[str, tuple[float, str]] = {}


@lru_cache(maxsize=2)
def _images(name: str) -> Labelled:
    """The first images of a set that is downloaded once; all of them would be 220 MB in every worker."""
    when, reason = _refused.get(name, (-np.inf, ""))
    if time.monotonic() - when < _PATIENCE:
        raise ConnectionError(reason)
    try:
        X, labels = fetch(name, _IMAGES, partial(_received, name))
    except ConnectionError as error:
        _refused[name] = time.monotonic(), str(error.__cause__ or error)
        raise
    return Labelled(X[:, :_IMAGES].copy(), labels[:_IMAGES].copy())


def _received(name: str, done: int, total: int) -> None:
    """Tell the visitor how far the download is; reading what has come takes some seconds, too."""
    title = {"mnist_784": "MNIST"}.get(name, name)
    if done == total == 0:
        report(0, 0, f"waiting for the download of {title}")
    elif done == total:
        report(done, total, f"reading {title}")
    else:
        of = f" of {total / 1e6:.1f}" if total else ""
        report(done, total, f"downloading {title}: {done / 1e6:.1f}{of} MB")
