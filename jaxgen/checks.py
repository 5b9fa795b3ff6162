"""Errors for static facts: they name the argument, what came and what is accepted."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

_V = TypeVar("_V")


def at_least(name: str, value: Any, minimum: int) -> int:
    """Returns `value` as an int of at least `minimum`.

    Raises:
      ValueError: `value` is no integer, or is below `minimum`.
    Example:
      >>> num_samples = at_least("num_samples", num_samples, 1)
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


def positive(name: str, value: Any) -> Any:
    """Refuses a number, of Python or NumPy, that is not finite and > 0; arrays pass unchecked.

    Raises:
      ValueError: it is such a number.
    Example:
      >>> temperature = positive("temperature", temperature)
    """
    if isinstance(value, int | float | np.number) and not 0 < value < math.inf:
        raise ValueError(f"{name}: got {value}, expected a positive number")
    return value


def one_distribution(q: Any, batch_shape: Sequence[int] | None = None) -> None:
    """Checks that q is one distribution, not a batch of them.

    Args:
      q: of any package; what does not say its batch shape is trusted.
      batch_shape: where it has been found otherwise than by asking q.
    Raises:
      ValueError: the batch shape is not ().
    Example:
      >>> one_distribution(distrax.Normal(jnp.zeros(3), 1.0))  # raises
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
      >>> one_of("binarization", "otsu", ("none", "threshold"))  # raises
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
      >>> of_shape("x", jnp.zeros((8, 8)), (8, 8, 1))  # raises
    """
    found = np.shape(x)
    if found != tuple(expected):
        raise ValueError(f"{name}: got shape {found}, expected {tuple(expected)}")


def batch_of(name: str, x: Any, shape: Sequence[int]) -> None:
    """Checks datapoints on a leading axis: floats, for bytes are on another scale than samples.

    Args:
      x: an array, [n, *shape], n >= 1.
      shape: of one datapoint.
    Raises:
      ValueError: it is none, or of another shape or type.
    Example:
      >>> batch_of("x", jnp.zeros((2, 8, 8)), (8, 8, 1))  # raises: no channels
    """
    is_array = hasattr(x, "dtype") and hasattr(x, "shape")
    if (
        not is_array
        or not jnp.issubdtype(x.dtype, np.floating)
        or x.shape[:1] in ((), (0,))
        or x.shape[1:] != tuple(shape)
    ):
        found = f"{x.dtype} of shape {x.shape}" if is_array else f"a {type(x).__name__}"
        expected = ", ".join(map(str, ("n >= 1", *shape)))
        raise ValueError(
            f"{name}: got {found}, expected floating-point numbers of shape "
            f"({expected}{'' if shape else ','})"
        )


def of_event_shape(value: Any, event_shape: Sequence[int]) -> None:
    """Checks that the last axes of what is scored are those of one event.

    Raises:
      ValueError: they are not.
    Example:
      >>> of_event_shape(jnp.zeros((100, 3)), (3,))  # a hundred events
    """
    found, expected = np.shape(value), tuple(event_shape)
    if found[max(len(found) - len(expected), 0) :] != expected:
        raise ValueError(f"value: got shape {found}, expected {expected}, or more axes before it")


def floats(name: str, x: Any) -> None:
    """Checks that x is of floating point: pixels in bytes would wrap around.

    Raises:
      ValueError: it is not.
    Example:
      >>> floats("x", jnp.zeros((2, 8, 8, 1), jnp.uint8))  # raises
    """
    if not hasattr(x, "dtype") or not jnp.issubdtype(x.dtype, np.floating):
        found = getattr(x, "dtype", type(x).__name__)
        raise ValueError(f"{name}: got {found}, expected floating-point numbers")


def axis_of_samples(name: str, x: Any) -> None:
    """Checks that x has one axis, [samples]: a bound joins the samples of one datapoint.

    Raises:
      ValueError: it has another number of axes, or no entry.
    Example:
      >>> axis_of_samples("log_weights", jnp.zeros((100, 5)))  # raises: which axis are the samples?
    """
    found = np.shape(x)
    if len(found) != 1 or not found[0]:
        raise ValueError(
            f"{name}: got shape {found}, expected (samples >= 1,), those of one datapoint: "
            "jax.vmap over datapoints"
        )


def class_labels(labels: Any, num_classes: int, *shape: int) -> None:
    """Checks labels: one integer for each datapoint, from 0 to num_classes - 1.

    Traced labels are trusted to be among the classes: numbers under jit do not raise.

    Args:
      labels: an array.
      shape: of the labels: how many datapoints; and how many in a pack, if they come in packs.
    Raises:
      ValueError: they are no such labels.
    Example:
      >>> class_labels(np.array([3, 10]), 10, 2)  # raises: 10 is no class
    """
    is_array = hasattr(labels, "dtype")
    if not is_array or not np.issubdtype(labels.dtype, np.integer) or labels.shape != shape:
        found = f"{labels.dtype} of shape {labels.shape}" if is_array else type(labels).__name__
        raise ValueError(
            f"labels: got {found}, expected an array of integers of shape {shape}, one for each "
            "datapoint"
        )
    if math.prod(shape) and not isinstance(labels, Tracer):
        known = np.asarray(labels)  # under jit, what is known outside stays known to NumPy alone
        low, high = int(known.min()), int(known.max())
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
      >>> confidence = between_0_and_1("confidence", confidence)
    """
    if not 0 < value < 1:
        raise ValueError(f"{name}: got {value}, expected a number between 0 and 1")
    return value


class UnknownName(KeyError, ValueError):
    """A name that a table does not have: a KeyError with a message to be read."""

    def __str__(self) -> str:
        return self.args[0]


class ByName(Mapping[str, _V]):
    """Named values, read only, that lists its names when it is asked for another.

    Raises:
      UnknownName: of a name that is not in it; a KeyError and a ValueError.
    Example:
      >>> ByName("divergence", {"kl": kl})["kld"]  # divergence: got 'kld', expected one of kl
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
