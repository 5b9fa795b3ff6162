"""Bijectors of single numbers, made of what a net says of each: affine, and monotone splines."""

from __future__ import annotations

import math
from collections.abc import Callable

import distrax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import at_least, between_0_and_1, positive
from jaxgen.values import Value, known_by_call


class ScalarTransform(Value):
    """A bijector of every entry of an array, by numbers of its own.

    Attributes:
      outputs: numbers that the net gives per entry.
      bijector: those numbers, [*shape, outputs], to the elementwise bijector of [*shape]. It is the
        identity, or near it, where all are zero.
    Example:
      >>> def scaled(numbers):
      ...     return distrax.ScalarAffine(shift=0.0, log_scale=numbers[..., 0])
      >>> transform = ScalarTransform(outputs=1, bijector=scaled)
      >>> transform.bijector(jnp.zeros((3, 1))).forward(jnp.ones(3))
      Array([1., 1., 1.], dtype=float32)
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
      >>> numbers = jnp.array([[3.0, 0.0]])  # a shift of 3, a log scale of 0
      >>> affine().bijector(numbers).forward(jnp.array([1.0]))
      Array([4.], dtype=float32)
    Source: Dinh et al. (2017), section 3.2 and appendix.
    """
    if max_log_scale != math.inf:
        positive("max_log_scale", max_log_scale)

    def bijector(numbers: Array) -> distrax.Bijector:
        shift, log_scale = numbers[..., 0], numbers[..., 1]
        if not math.isinf(max_log_scale):
            log_scale = max_log_scale * jnp.tanh(log_scale / max_log_scale)
        return distrax.ScalarAffine(shift=shift, log_scale=log_scale)

    return ScalarTransform(2, bijector)


@known_by_call
def rational_quadratic_spline(
    num_bins: int = 16, bound: float = 3.0, *, smallest: float = 1e-3
) -> ScalarTransform:
    """Returns the monotone spline from [-bound, bound] onto itself, continued by straight lines.

    It can cut mass apart, where an affine map can only stretch it. The numbers are the logits of
    the bins' widths and heights, and slopes at the knots before a softplus, all of them bounded: a
    flat piece between steep ones loses the digits by which float32 tells its points apart. Of 8
    bins and numbers of standard deviation 3, some hundredths of the points come back off by more
    than .001 (by distrax's own settings a quarter, and some by the whole range).

    Args:
      num_bins: pieces.
      bound: where it ends; data should lie within.
      smallest: least share of the range that a bin has, least slope at a knot, and least ratio of
        two bins. A sharper density takes a smaller one, and more of float32's digits.
    Raises:
      ValueError: num_bins is below two, or the bins are too many to be of the smallest size; bound
        is not positive; smallest is not between 0 and 1.
    Example:
      >>> spline = rational_quadratic_spline(8)
      >>> numbers = jnp.zeros((3, spline.outputs))  # of which it is the identity
      >>> print(jnp.round(spline.bijector(numbers).forward(jnp.array([-1.0, 0.5, 4.0])), 4))
      [-1.   0.5  4. ]
    Source: Durkan et al. (2019), "Neural spline flows", section 3.1.
    """
    num_bins, bound = at_least("num_bins", num_bins, 2), float(positive("bound", bound))
    most = round(0.5 / between_0_and_1("smallest", smallest))
    if num_bins > most:
        raise ValueError(f"num_bins: got {num_bins}, expected at most {most}, half the range")
    limit = -0.5 * math.log(smallest)

    def bijector(numbers: Array) -> distrax.Bijector:
        return distrax.RationalQuadraticSpline(
            limit * jnp.tanh(numbers / limit),
            -bound,
            bound,
            min_bin_size=smallest * 2 * bound,
            min_knot_slope=smallest,
        )

    return ScalarTransform(3 * num_bins + 1, bijector)
