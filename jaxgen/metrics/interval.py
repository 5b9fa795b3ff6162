"""A number with the ends of its 95% interval."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped
from scipy import stats

from jaxgen.array_checks import of_shape
from jaxgen.numerics import wilson_interval


class Interval(NamedTuple):
    """A number and the ends of its 95% interval.

    Attributes:
      value: the number.
      low, high: the ends.
    Example:
      >>> Interval(value=0.5, low=0.4, high=0.6).ends
      (0.5, 0.4, 0.6)
    """

    value: float
    low: float
    high: float

    @property
    def ends(self) -> tuple[float, float, float]:
        """All three."""
        return self.value, self.low, self.high


def share_interval(happened: Shaped[np.ndarray, "..."]) -> Interval:
    """Returns the share of what happened, by Wilson's formula.

    Raises:
      ValueError: there is nothing to count, or not one truth value each.
    Example:
      >>> predicted, labels = np.array([0, 1, 1, 0]), np.array([0, 1, 1, 1])
      >>> share = share_interval(predicted == labels)
      >>> share.value, share.low, share.high
      (0.75, 0.301, 0.954)
    """
    if np.shape(happened) == (0,):
        raise ValueError("happened: got none, expected at least one")
    if np.ndim(happened) != 1 or np.asarray(happened).dtype != bool:
        raise ValueError(
            f"happened: got {np.asarray(happened).dtype} of shape {np.shape(happened)}, expected "
            "one truth value each, of shape (n,)"
        )
    share = float(np.mean(happened))
    low, high = wilson_interval(share, len(happened))
    return Interval(share, float(low), float(high))


def mean_interval(values: Float[np.ndarray, "..."]) -> Interval:
    """Returns the mean of independent numbers, by Student's t.

    Raises:
      ValueError: there are fewer than two, or more axes than one.
    Example:
      >>> mean = mean_interval(np.array([1.0, 2.0, 3.0]))
      >>> mean.value, mean.low, mean.high  # 2 ± 4.30 / sqrt(3)
      (2.0, -0.484, 4.484)
    """
    of_shape("values", values, (len(np.atleast_1d(values)),))
    if len(values) < 2:
        raise ValueError(f"values: got {len(values)}, expected two or more")
    values = np.asarray(values, np.float64)  # sums of half precision overflow
    mean = float(np.mean(values))
    half = float(
        stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    )
    return Interval(mean, mean - half, mean + half)
