"""Errors for arrays and distributions: shapes, dtypes, batches; nothing broadcasts unasked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer


def arrays(name: str, tree: Any) -> None:
    """Checks that the leaves of a pytree are arrays or numbers; it may have none, but is not None.

    Raises:
      ValueError: one is not, such as a word or an object that is no pytree.
    Example:
      >>> arrays("params", {"mean": np.zeros(3), "scale": 1.0})
      >>> arrays("params", {"mean": "zero"})
      Traceback (most recent call last):
      ValueError: params: got 'zero', expected a pytree of arrays
    """
    for leaf in [None] if tree is None else jax.tree.leaves(tree):
        if not hasattr(leaf, "dtype") and not isinstance(leaf, int | float | complex):
            raise ValueError(f"{name}: got {leaf!r}, expected a pytree of arrays")


def one_distribution(q: Any, batch_shape: Sequence[int] | None = None, *, name: str = "q") -> None:
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
            f"{name}: got a {type(q).__name__} of batch shape {found}, expected one distribution "
            "(batch shape ()): make a vector of latents of it with distrax.Independent"
        )


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


def batch_of(name: str, x: Any, shape: Sequence[int]) -> None:
    """Checks datapoints on a leading axis: floats, for bytes are on another scale than samples.

    Args:
      x: an array, [n, *shape], n >= 1.
      shape: of one datapoint.
    Raises:
      ValueError: it is none, or of another shape or type.
    Example:
      >>> batch_of("x", jnp.zeros((2, 8, 8)), (8, 8, 1))  # no channels
      Traceback (most recent call last):
      ValueError: x: got float32 of shape (2, 8, 8), expected ...
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
    if not hasattr(x, "dtype") or not jnp.issubdtype(x.dtype, np.floating):
        found = getattr(x, "dtype", type(x).__name__)
        raise ValueError(f"{name}: got {found}, expected floating-point numbers")


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


def from_0_to_1(name: str, x: Any) -> None:
    """Checks that numbers are in [0, 1], as pixels are; traced ones are trusted, and so is NaN.

    Raises:
      ValueError: one is not, such as a pixel that was never divided by 255.
    Example:
      >>> from_0_to_1("x", np.array([0.0, 255.0]))
      Traceback (most recent call last):
      ValueError: x: got values from 0.0 to 255.0, expected 0 to 1
    """
    if isinstance(x, Tracer) or not getattr(x, "is_fully_addressable", True):
        return
    known = np.asarray(x)  # under jit, what is known outside stays known to NumPy alone
    if np.any((known < 0) | (known > 1)):
        low, high = float(np.nanmin(known)), float(np.nanmax(known))
        raise ValueError(f"{name}: got values from {low} to {high}, expected 0 to 1")


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


def class_labels(labels: Any, num_classes: int, *shape: int) -> None:
    """Checks labels: one integer for each datapoint, from 0 to num_classes - 1.

    Traced labels are trusted to be among the classes: numbers under jit do not raise.

    Args:
      labels: an array.
      shape: of the labels: how many datapoints; and how many in a pack, if they come in packs.
    Raises:
      ValueError: they are no such labels.
    Example:
      >>> class_labels(np.array([3, 10]), 10, 2)
      Traceback (most recent call last):
      ValueError: labels: got values from 3 to 10, expected 0 to 9, the 10 classes
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
