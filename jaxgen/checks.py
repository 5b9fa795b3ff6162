"""Errors for static facts: they name the argument, what came and what is accepted."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer


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
    """Refuses a number, of Python or NumPy, that is not finite and > 0; arrays pass unchecked.

    Raises:
      ValueError: it is such a number.
    Example:
      >>> positive("temperature", 0.5)
      0.5
      >>> positive("temperature", -1)
      Traceback (most recent call last):
      ValueError: temperature: got -1, expected a positive number
    """
    if isinstance(value, int | float | np.number) and not 0 < value < math.inf:
        raise ValueError(f"{name}: got {value}, expected a positive number")
    return value


def not_negative(name: str, value: Any) -> Any:
    """Refuses a number, of Python or NumPy, that is not finite and >= 0; arrays pass unchecked.

    Raises:
      ValueError: it is such a number.
    Example:
      >>> not_negative("min_variance", -1.0)
      Traceback (most recent call last):
      ValueError: min_variance: got -1.0, expected a number >= 0
    """
    if isinstance(value, int | float | np.number) and not 0 <= value < math.inf:
        raise ValueError(f"{name}: got {value}, expected a number >= 0")
    return value


def one_distribution(q: Any, batch_shape: Sequence[int] | None = None) -> None:
    """Checks that q is one distribution, not a batch of them.

    Args:
      q: of any package; what does not say its batch shape is trusted.
      batch_shape: where it has been found otherwise than by asking q.
    Raises:
      ValueError: the batch shape is not ().
    Example:
      >>> one_distribution(distrax.Normal(0.0, 1.0))
      >>> one_distribution(distrax.Normal(jnp.zeros(3), 1.0))
      Traceback (most recent call last):
      ValueError: q: got a Normal of batch shape (3,), expected one distribution ...
    """
    found = tuple(getattr(q, "batch_shape", ()) if batch_shape is None else batch_shape)
    if found:
        raise ValueError(
            f"q: got a {type(q).__name__} of batch shape {found}, expected one distribution "
            "(batch shape ()): make a vector of latents of it with distrax.Independent"
        )


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


def of_shape(name: str, x: Any, expected: Sequence[int]) -> None:
    """Checks the shape of one datapoint, one latent: nothing broadcasts in a likelihood.

    Args:
      x: an array, or a number.
    Raises:
      ValueError: its shape is another.
    Example:
      >>> of_shape("x", jnp.zeros((8, 8)), (8, 8, 1))
      Traceback (most recent call last):
      ValueError: x: got shape (8, 8), expected (8, 8, 1)
    """
    found = np.shape(x)
    if found != tuple(expected):
        raise ValueError(f"{name}: got shape {found}, expected {tuple(expected)}")


def of_event_shape(value: Any, event_shape: Sequence[int]) -> None:
    """Checks that the last axes of what is scored are those of one event.

    Raises:
      ValueError: they are not.
    Example:
      >>> of_event_shape(jnp.zeros((100, 3)), (3,))  # a hundred events
      >>> of_event_shape(jnp.zeros((100, 2)), (3,))
      Traceback (most recent call last):
      ValueError: value: got shape (100, 2), expected (3,), or more axes before it
    """
    found, expected = np.shape(value), tuple(event_shape)
    if found[max(len(found) - len(expected), 0) :] != expected:
        raise ValueError(f"value: got shape {found}, expected {expected}, or more axes before it")


def floats(name: str, x: Any) -> None:
    """Checks that x is of floating point: pixels in bytes would wrap around.

    Raises:
      ValueError: it is not.
    Example:
      >>> floats("x", jnp.zeros((2, 8, 8, 1), jnp.uint8))
      Traceback (most recent call last):
      ValueError: x: got uint8, expected floating-point numbers
    """
    if not jnp.issubdtype(x.dtype, np.floating):
        raise ValueError(f"{name}: got {x.dtype}, expected floating-point numbers")


def not_bytes(name: str, x: Any) -> None:
    """Checks that x is not of bytes, in which images are stored: a model's pixels are in [0, 1].

    Raises:
      ValueError: it is uint8.
    Example:
      >>> not_bytes("x", jnp.zeros((8, 8, 1), jnp.uint8))
      Traceback (most recent call last):
      ValueError: x: got uint8, expected the model's unit, such as pixels / 255 in [0, 1]
    """
    if getattr(x, "dtype", None) == np.uint8:
        raise ValueError(
            f"{name}: got uint8, expected the model's unit, such as pixels / 255 in [0, 1]"
        )


def arrays(name: str, tree: Any) -> None:
    """Checks that every leaf of a pytree is an array or a number: params, or what a net is given.

    Raises:
      ValueError: it is None, or has another leaf.
    Example:
      >>> arrays("params", None)
      Traceback (most recent call last):
      ValueError: params: got None, expected a pytree of arrays
    """
    for leaf in [None] if tree is None else jax.tree.leaves(tree):
        if not (hasattr(leaf, "dtype") or isinstance(leaf, bool | int | float)):
            raise ValueError(f"{name}: got {leaf!r}, expected a pytree of arrays")


def axis_of_samples(name: str, x: Any) -> None:
    """Checks that x has one axis, [samples]: a bound joins the samples of one datapoint.

    Raises:
      ValueError: it has another number of axes, or no entry.
    Example:
      >>> axis_of_samples("log_weights", jnp.zeros((100, 5)))  # which axis are the samples?
      Traceback (most recent call last):
      ValueError: log_weights: got shape (100, 5), expected ...
    """
    found = np.shape(x)
    if len(found) != 1 or not found[0]:
        raise ValueError(
            f"{name}: got shape {found}, expected (samples >= 1,), those of one datapoint: "
            "jax.vmap over datapoints"
        )


def class_labels(labels: Any, num_classes: int, count: int) -> None:
    """Checks labels: one integer for each datapoint, from 0 to num_classes - 1.

    Traced labels are trusted to be among the classes: numbers under jit do not raise.

    Args:
      labels: an array.
      count: of the datapoints.
    Raises:
      ValueError: they are no such labels.
    Example:
      >>> class_labels(np.array([3, 10]), 10, 2)
      Traceback (most recent call last):
      ValueError: labels: got values from 3 to 10, expected 0 to 9, the 10 classes
    """
    dtype, found = getattr(labels, "dtype", type(labels).__name__), np.shape(labels)
    if not hasattr(labels, "dtype") or not np.issubdtype(dtype, np.integer) or found != (count,):
        raise ValueError(
            f"labels: got {dtype} of shape {found}, expected an array of integers of shape "
            f"{(count,)}, one for each datapoint"
        )
    if count and not isinstance(labels, Tracer):
        low, high = int(np.min(labels)), int(np.max(labels))
        if low < 0 or high >= num_classes:
            raise ValueError(
                f"labels: got values from {low} to {high}, expected 0 to {num_classes - 1}, the "
                f"{num_classes} classes"
            )


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


_V = TypeVar("_V")


class UnknownName(KeyError, ValueError):
    """A name that a table does not have: a KeyError with a message to be read.

    Example:
      >>> isinstance(UnknownName("divergence: got 'kld'"), KeyError)
      True
    """

    def __str__(self) -> str:
        return self.args[0]


class ByName(Mapping[str, _V]):
    """Named values, read only, that lists its names when it is asked for another.

    Raises:
      UnknownName: of a name that is not in it; a KeyError and a ValueError.
    Example:
      >>> table = ByName("divergence", {"kl": 1.0, "pearson": 2.0})
      >>> table["kl"]
      1.0
      >>> table.get("kld", "none of that name")
      'none of that name'
    """

    def __init__(self, of: str, entries: Mapping[str, _V]):
        self._of, self._entries = of, dict(entries)

    def __getitem__(self, name: str) -> _V:
        if name not in self._entries:
            names = ", ".join(self._entries)
            raise UnknownName(f"{self._of}: got {name!r}, expected one of {names}")
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"{self._of}s by name: {', '.join(self._entries)}"
