"""Real data: populations, and points with labels for `rmtcore.given_data`.

Points are matrices (p, N), columns the points. What scikit-learn ships needs no network; `fetch` needs one the
first time.
"""

from __future__ import annotations

import os
import warnings
import zipfile
from functools import cache
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.datasets import fetch_openml, get_data_home, load_breast_cancer, load_digits

from rmtcore.checks import finite
from rmtcore.downloads import Hear, alone, watched
from rmtcore.population import Population

_PIXELS = 28 * 28
FETCHED = {"mnist_784": 1, "Fashion-MNIST": 1}  # names and versions on OpenML


class Labelled(NamedTuple):
    """Points X (p, N) and their labels (N,): +1 and -1, or class numbers."""

    X: NDArray[np.floating[Any]]
    y: NDArray[np.floating[Any]]


@cache
def digits() -> Population:
    """The 1797 handwritten digits (8 x 8 pixels) that scikit-learn ships, as a population.

    Pixels that never change are left out, which leaves 61; the rest is scaled to mean variance 1. The
    spectrum is estimated from all images, which stay attached (61, 1797).

    Source: Alpaydin and Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Repository.
    """
    pixels = load_digits().data.T
    pixels = pixels[pixels.std(axis=1) > 0]
    return Population.from_data(pixels / np.sqrt(pixels.var(axis=1).mean()))


def digits_pair(one: int, other: int | None = None) -> Labelled:
    """Digit `one` (+1) against digit `other` (-1), or against all others: pixels in [0, 16], X (64, N).

    Source: as `digits`.

    Raises
    ------
    ValueError : a class that is not there, or the same one twice.
    """
    bunch = load_digits()
    return two_classes(bunch.data.T, bunch.target, one, other)


def breast_cancer() -> Labelled:
    """569 tumours, benign (+1) or malignant (-1), X (30, 569), that scikit-learn ships.

    The thirty features have thirty units, so each is divided by its standard deviation over all points.

    Source: Street, Wolberg and Mangasarian (1993), Breast Cancer Wisconsin (Diagnostic), UCI Repository.
    """
    bunch = load_breast_cancer()
    X = bunch.data.T
    return Labelled(X / X.std(axis=1, keepdims=True), np.where(bunch.target == 1, 1.0, -1.0))


def fetch(name: str, first: int | None = None, hear: Hear | None = None) -> Labelled:
    """The 70000 images of "mnist_784" or "Fashion-MNIST": pixels in [0, 1], X (784, 70000), classes 0 to 9.

    Downloaded once from OpenML, and then read from scikit-learn's data folder (SCIKIT_LEARN_DATA). In single
    precision: 220 MB.

    Parameters
    ----------
    first : only so many of them, which are kept in a file of their own and then come at once.
    hear : told of the bytes received, and of how many (0: unknown), while it downloads.

    Sources: LeCun et al. (1998), Proc. IEEE 86(11); Xiao, Rasul and Vollgraf (2017), arXiv:1708.07747.

    Raises
    ------
    ValueError : another name.
    ConnectionError : not downloaded yet, and OpenML cannot be reached.
    """
    if name not in FETCHED:
        raise ValueError(f"The 'name' parameter must be one of {', '.join(FETCHED)}. Got {name!r} instead.")
    kept = Path(get_data_home(), f"{name}-{first}.npz")
    if first is not None and (found := _kept(kept)) is not None:
        return found
    told = hear or (lambda done, total: None)
    try:
        with alone(Path(get_data_home()), name, told), watched(told), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "A network error occurred")  # the second one is told
            options = {"version": FETCHED[name], "as_frame": False, "parser": "pandas", "n_retries": 1}
            # The class is the last column: text, as pandas 3 would make numbers of it, at which scikit-learn fails.
            bunch = fetch_openml(name, **options, read_csv_kwargs={"dtype": {_PIXELS: str}})
    except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
        raise ConnectionError(
            f"The data set {name!r} is not on this machine yet, and OpenML cannot be reached to download it "
            f"({error}). digits_pair() and breast_cancer() need no network."
        ) from error
    pixels, classes = bunch.data[:first].astype(np.uint8), bunch.target[:first].astype(float)
    if first is not None:
        _keep(kept, pixels, classes)
    return _scaled(pixels, classes)


def _scaled(pixels: NDArray[np.uint8], classes: NDArray[np.float64]) -> Labelled:
    return Labelled((pixels.astype(np.float32) / np.float32(255.0)).T, classes)


def _kept(path: Path) -> Labelled | None:
    """What `_keep` wrote there, if it is whole."""
    try:
        with path.open("rb") as content, np.load(content, allow_pickle=False) as file:
            return _scaled(file["pixels"], file["classes"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _keep(path: Path, pixels: NDArray[np.uint8], classes: NDArray[np.float64]) -> None:
    """Write it whole or not at all."""
    half = path.with_name(f"{path.stem}.{os.getpid()}.half.npz")
    try:
        np.savez_compressed(half, pixels=pixels, classes=classes)
        half.replace(path)
    except OSError:  # no room: it is read the long way again
        half.unlink(missing_ok=True)


def two_classes(X: ArrayLike, labels: ArrayLike, one: float, other: float | None = None) -> Labelled:
    """The points labelled `one` (y = +1) and `other` (y = -1; default: all others), in their order.

    Parameters
    ----------
    X, labels : (p, N) points and (N,) class numbers.

    Raises
    ------
    ValueError : shapes that do not fit, or a class without points.
    """
    points, classes = np.asarray(X), finite("labels", labels)
    if points.ndim != 2 or classes.shape != points.shape[1:]:
        raise ValueError(
            "The 'X' parameter must be a matrix (dimensions, points) with one label for every point. "
            f"Got shapes {points.shape} and {classes.shape} instead."
        )
    first = classes == one
    second = ~first if other is None else classes == other
    if not first.any() or not second.any() or one == other:
        raise ValueError(
            f"The 'one' and 'other' parameters must be different classes among {np.unique(classes)[:20]}. "
            f"Got {one!r} and {other!r} instead."
        )
    keep = first | second
    return Labelled(points[:, keep], np.where(first[keep], 1.0, -1.0))
