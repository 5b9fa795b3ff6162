"""Errors for numbers and words: they name the argument, what came and what is accepted."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np


def at_least(name: str, value: Any, minimum: int) -> int:
    """Returns `value` as an int of at least `minimum`.

    Raises:
      ValueError: `value` is no integer, or is below `minimum`.
    Example:
      >>> at_least("num_samples", np.int64(5), 1)
      5
      >>> at_least("num_samples", 0, 1)
      Traceback (most recent call last):
      ValueError: num_samples: got 0, expected an integer >= 1
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise ValueError(f"{name}: got {value!r}, expected an integer >= {minimum}")
    if number < minimum:
        raise ValueError(f"{name}: got {number}, expected an integer >= {minimum}")
    return number


def sizes(name: str, value: Any) -> tuple[int, ...]:
    """Returns `value`, a shape or the widths of layers, as a tuple of integers of at least one.

    Raises:
      ValueError: it is no tuple or list of such integers.
    Example:
      >>> sizes("hidden", 200)
      Traceback (most recent call last):
      ValueError: hidden: got 200, expected a tuple of integers, such as (200,)
    """
    if not isinstance(value, tuple | list):
        raise ValueError(f"{name}: got {value!r}, expected a tuple of integers, such as (200,)")
    return tuple(at_least(name, size, 1) for size in value)


def positive(name: str, value: Any) -> Any:
    """Refuses numbers that are not finite and > 0; what is traced passes unchecked.

    Raises:
      ValueError: it is such a number, or an array with one.
    Example:
      >>> positive("temperature", 0.5)
      0.5
      >>> positive("temperature", -1)
      Traceback (most recent call last):
      ValueError: temperature: got -1, expected a positive number
    """
    if not _holds(value, lambda x: (x > 0) & (x < math.inf)):
        raise ValueError(f"{name}: got {value}, expected a positive number")
    return value


def not_negative(name: str, value: Any) -> Any:
    """Refuses numbers that are not finite and >= 0; what is traced passes unchecked.

    Raises:
      ValueError: it is such a number, or an array with one.
    Example:
      >>> not_negative("min_variance", -1.0)
      Traceback (most recent call last):
      ValueError: min_variance: got -1.0, expected a number >= 0
    """
    if not _holds(value, lambda x: (x >= 0) & (x < math.inf)):
        raise ValueError(f"{name}: got {value}, expected a number >= 0")
    return value


def _holds(value: Any, condition: Callable[[Any], Any]) -> bool:
    """Whether the condition holds of every number in `value`; of one that is not known, it does."""
    if isinstance(value, int | float):
        return bool(condition(value))
    if not hasattr(value, "dtype"):
        return True  # no number, such as a schedule
    try:
        numbers = np.asarray(value, float)
    except (TypeError, RuntimeError):  # traced, or on the devices of other processes
        return True
    # What JAX has computed may be NaN: that shows in what is made of it.
    shows = np.isnan(numbers) & (not isinstance(value, np.ndarray | np.generic))
    return bool(np.all(condition(numbers) | shows))


def one_of(name: str, value: Any, accepted: Iterable[Any]) -> Any:
    """Returns `value` if it is among `accepted`.

    Raises:
      ValueError: it is not; the message lists what is.
    Example:
      >>> one_of("binarization", "otsu", ("none", "threshold"))
      Traceback (most recent call last):
      ValueError: binarization: got 'otsu', expected one of none, threshold
    """
    choices = list(accepted)
    if value not in choices:
        raise ValueError(f"{name}: got {value!r}, expected one of {', '.join(map(str, choices))}")
    return value


def between_0_and_1(name: str, value: float) -> float:
    """Returns `value`, a share that is neither nothing nor all.

    Raises:
      ValueError: it is not above 0 and below 1.
    Example:
      >>> between_0_and_1("confidence", 0.95)
      0.95
      >>> between_0_and_1("confidence", 95.0)
      Traceback (most recent call last):
      ValueError: confidence: got 95.0, expected a number between 0 and 1
    """
    if not 0 < value < 1:
        raise ValueError(f"{name}: got {value}, expected a number between 0 and 1")
    return value
