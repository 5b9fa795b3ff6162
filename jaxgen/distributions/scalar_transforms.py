"""Bijectors of single numbers, made of what a net says of each: affine, and monotone splines."""

from __future__ import annotations

import math
from collections.abc import Callable

import distrax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import at_least, positive
from jaxgen.values import Value, known_by_call

LOGITS = 3.0
"""Bound of what a net says of bins and slopes: no bin is 400 times another."""
SMALLEST = 1e-3
"""Share of the range that each bin has at least, and the least slope at a knot."""


class ScalarTransform(Value):
    """A bijector of every entry of an array, by numbers of its own.

    Attributes:
      outputs: numbers that the net gives per entry.
      bijector: those numbers, [*shape, outputs], to the elementwise bijector of [*shape]. It is the
        identity, or near it, where all are zero.
    """

    outputs: int
    bijector: Callable[[Float[Array, "*shape outputs"]], distrax.Bijector]


@known_by_call
def affine(max_log_scale: float = 1.0) -> ScalarTransform:
    """Returns x -> exp(s) x + shift, of the numbers (shift, r), with s = b tanh(r / b).

    Without the bound b, what a stack of layers makes of numbers from untrained nets overflows.

    Args:
      max_log_scale: b; `math.inf` leaves s = r.
    Raises:
      ValueError: max_log_scale is not positive.
    Example:
      affine().bijector(jnp.zeros((3, 2))).forward(jnp.ones(3))  # [1., 1., 1.]
    Source: Dinh et al. (2017), section 3.2 and appendix.
    """
    if not math.isinf(max_log_scale):
        positive("max_log_scale", max_log_scale)

    def bijector(numbers: Array) -> distrax.Bijector:
        shift, log_scale = numbers[..., 0], numbers[..., 1]
        if not math.isinf(max_log_scale):
            log_scale = max_log_scale * jnp.tanh(log_scale / max_log_scale)
        return distrax.ScalarAffine(shift=shift, log_scale=log_scale)

    return ScalarTransform(2, bijector)


@known_by_call
def rational_quadratic_spline(num_bins: int = 16, bound: float = 3.0) -> ScalarTransform:
    """Returns the monotone spline from [-bound, bound] onto itself, continued by straight lines.

    It can cut mass apart, where an affine map can only stretch it. The numbers are the logits of
    the bins' widths and heights and of the slopes at the knots, kept within 3 of zero: a flat piece
    between steep ones loses the digits by which float32 tells its points apart. Of logits of
    standard deviation 3 and 8 bins, a hundredth of the points come back off by more than .001, and
    none by more than .01 (distrax's own settings: a fifth, by up to the whole range).

    Args:
      num_bins: pieces.
      bound: where it ends; data should lie within.
    Raises:
      ValueError: num_bins is below two or above 500; bound is not positive.
    Example:
      rational_quadratic_spline(8).bijector(jnp.zeros((3, 25))).forward(jnp.ones(3))  # [1., 1., 1.]
    Source: Durkan et al. (2019), "Neural spline flows", section 3.1.
    """
    num_bins, bound = at_least("num_bins", num_bins, 2), float(positive("bound", bound))
    if num_bins * SMALLEST > 0.5:
        raise ValueError(f"num_bins: got {num_bins}, expected at most {round(0.5 / SMALLEST)}")

    def bijector(numbers: Array) -> distrax.Bijector:
        return distrax.RationalQuadraticSpline(
            LOGITS * jnp.tanh(numbers / LOGITS),
            -bound,
            bound,
            min_bin_size=SMALLEST * 2 * bound,
            min_knot_slope=SMALLEST,
        )

    return ScalarTransform(3 * num_bins + 1, bijector)
