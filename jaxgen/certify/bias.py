"""The bias of a gradient estimator against a reference drawn with the same keys."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.certify.moments import DrawGradient, grad_moments
from jaxgen.certify.running import widened
from jaxgen.numerics import highest_precision
from jaxgen.types import Key, Params, Scalar


class Bias(NamedTuple):
    """A gradient estimator against a reference.

    Attributes:
      difference: mean of the gradient less that of the reference.
      z: `difference` in its standard errors, coordinate by coordinate.
      worst_z: the largest |z|; of d coordinates with no bias it is about sqrt(2 log d).
    Example:
      >>> bias = Bias(
      ...     difference=jnp.array([0.1, 0.0]), z=jnp.array([6.0, 0.2]), worst_z=jnp.float32(6.0)
      ... )
      >>> bool(bias.worst_z < 5)  # biased, then
      False
    """

    difference: Params
    z: Params
    worst_z: Scalar


@highest_precision
def paired_bias(
    gradient: DrawGradient,
    reference: DrawGradient,
    key: Key,
    num_draws: int,
    batch_size: int | None = None,
) -> Bias:
    """Returns the bias of a gradient against a reference, both drawn with the same keys.

    The noise that the two share cancels. `lambda key: exact` is a reference without noise. Standard
    errors are at least float32 rounding, so that two exact gradients give z = 0.

    Args:
      gradient: `key -> gradient` on trial.
      reference: `key -> gradient`, unbiased, of the same structure.
      num_draws: pairs drawn, as for `grad_moments`.
      batch_size: pairs computed at once, as for `grad_moments`.
    Raises:
      ValueError: as for `grad_moments`.
    Example:
      >>> f = lambda b: (b - 0.45) ** 2
      >>> loss = lambda logit, key: relaxed(2).apply((), key, f, distrax.Bernoulli(logit))[0]
      >>> p = jax.nn.sigmoid(0.3)
      >>> exact = 0.1 * p * (1 - p)
      >>> gradient = lambda key: jax.grad(loss)(0.3, key)
      >>> paired_bias(gradient, lambda key: exact, jax.random.key(0), 10_000).worst_z
    """

    def difference(key: Key) -> tuple[Params, Params]:
        # The very same noise for both is the point.
        ours, theirs = widened((gradient(jax.random.clone(key)), reference(key)))
        size = jax.tree.map(lambda x, y: jnp.abs(x) + jnp.abs(y), ours, theirs)
        return jax.tree.map(jnp.subtract, ours, theirs), size

    moments = grad_moments(difference, key, num_draws, batch_size)
    (mean, size), (variance, _) = moments.mean, moments.variance
    z = jax.tree.map(
        lambda mean, variance, size: z_score(mean, variance / num_draws, size), mean, variance, size
    )
    return Bias(mean, z, worst(z))


def z_score(difference: Array, variance: Array, size: Array) -> Array:
    """Returns difference / sqrt(variance), with an error of at least the rounding of `size`."""
    kind = jnp.finfo(size.dtype)
    rounding = 4 * kind.eps * size + kind.tiny
    return difference / (jnp.sqrt(variance) + rounding)


def worst(z: Params) -> Scalar:
    """Returns the largest |z| of a tree."""
    return jnp.max(jnp.stack([jnp.max(jnp.abs(x)) for x in jax.tree.leaves(z)]))
