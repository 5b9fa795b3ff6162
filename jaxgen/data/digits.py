"""The embedded set: 1,797 handwritten digits of 8x8 pixels, shipped by scikit-learn."""

from __future__ import annotations

import gzip
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from jaxgen.data.splits import Arrays, Source

LEVELS = 17
SIZES = {"train": 1297, "validation": 200, "test": 300}


def digits() -> Source:
    """Returns the digits with a fixed, stratified split, read without any file or network.

    The 17 gray levels 0..16 become round(255 · level / 16). Each class is shuffled by the SHA-256
    of its images' positions, and the classes are then interleaved in proportion: the order depends
    on no library's generator and every run of it holds the classes alike. The first 1,297 train,
    the next 200 validate, the last 300 test. Writers are not known, so they are shared by splits.

    Example:
      >>> digits().read("test").images.shape  # (300, 8, 8, 1)
    Source: Alpaydin & Kaynak (1998), the test part of UCI's optical digits.
    """
    return Source(SIZES, _read)


def _read(split: str) -> Arrays:
    levels, labels = _levels_and_labels()
    order = _stratified_order(labels)
    end = np.cumsum(list(SIZES.values()))[list(SIZES).index(split)]
    chosen = order[end - SIZES[split] : end]
    pixels = np.rint(levels[chosen] * (255 / (LEVELS - 1))).astype(np.uint8)
    return Arrays(pixels.reshape(-1, 8, 8, 1), labels[chosen])


def _levels_and_labels() -> tuple[np.ndarray, np.ndarray]:
    spec = find_spec("sklearn")  # which imports nothing: importing it takes a second
    for folder in (spec and spec.submodule_search_locations) or ():
        file = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if file.exists():
            with gzip.open(file, "rt") as lines:
                rows = np.loadtxt(lines, delimiter=",")
            return rows[:, :-1], rows[:, -1].astype(int)
    from sklearn.datasets import load_digits

    levels, labels = load_digits(return_X_y=True)
    return np.asarray(levels), np.asarray(labels)


def _stratified_order(labels: np.ndarray) -> np.ndarray:
    shuffled = sorted(range(len(labels)), key=lambda i: sha256(str(i).encode()).digest())
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = [i for i in shuffled if labels[i] == label]
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.argsort(place, kind="stable")
