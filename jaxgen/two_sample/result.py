"""What a two-sample test says."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool

from jaxgen.numerics import all_finite
from jaxgen.types import Scalar


class TestResult(NamedTuple):
    """The outcome of a test of p = q.

    Attributes:
      statistic: large where the two differ.
      p_value: the chance of a statistic at least as large if they do not; NaN, and not a number to
        be believed, where `all_finite` is false.
      all_finite: whether the samples and the statistic are finite.
    Example:
      >>> xs = jax.random.normal(jax.random.key(0), (100, 2))
      >>> outcome = mean_test(xs, xs)
      >>> float(outcome.p_value), bool(outcome.all_finite)
      (1.0, True)
    """

    __test__ = False  # not a class of tests, whatever pytest thinks of its name

    statistic: Scalar
    p_value: Scalar
    all_finite: Bool[Array, ""]


def result(statistic: Scalar, p_value: Scalar, samples: object) -> TestResult:
    """Returns the result with the p-value NaN unless `samples` and statistic are finite."""
    finite = all_finite((samples, statistic))
    return TestResult(statistic, jnp.where(finite, p_value, jnp.nan), finite)
