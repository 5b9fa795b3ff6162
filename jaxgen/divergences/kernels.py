"""Kernels: functions of two sets of vectors that return their Gram matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

from jaxgen.checks import at_least, positive
from jaxgen.pairwise import distances, squared_distances, vectors
from jaxgen.types import Scalar

Kernel: TypeAlias = Callable[[Float[Array, "n dims"], Float[Array, "m dims"]], Float[Array, "n m"]]
"""`(xs, ys) -> k(xs[i], ys[j])`, symmetric. All the kernels here are differentiable, at equal
points too, and a bandwidth may be a traced array."""


def rbf(bandwidth: float | Scalar) -> Kernel:
    """Returns the Gaussian kernel exp(-|x - y|² / (2 bandwidth²)).

    Raises:
      ValueError: bandwidth is a number that is not positive.
    Example:
      rbf(median_heuristic(xs, ys))(xs, ys)
    Source: Gretton et al. (2012), section 8.
    """
    positive("bandwidth", bandwidth)
    return lambda xs, ys: jnp.exp(-0.5 * squared_distances(xs / bandwidth, ys / bandwidth))


def laplace(bandwidth: float | Scalar) -> Kernel:
    """Returns exp(-sum_d |x_d - y_d| / bandwidth), with the distance of city blocks.

    Raises:
      ValueError: bandwidth is a number that is not positive.
    Example:
      laplace(1.0)(xs, ys)
    Source: Sriperumbudur et al. (2010), section 3.
    """
    positive("bandwidth", bandwidth)
    return lambda xs, ys: jnp.exp(
        -jnp.sum(jnp.abs(xs[:, None] / bandwidth - ys / bandwidth), axis=-1)
    )


def inverse_multiquadric(scale: float | Scalar, exponent: float = 0.5) -> Kernel:
    """Returns (1 + |x - y|² / scale²)^-exponent.

    An exponent of 1 with scale² = C is the kernel C / (C + |x - y|²) of Wasserstein autoencoders.

    Raises:
      ValueError: scale or exponent is a number that is not positive.
    Example:
      inverse_multiquadric(1.0)(xs, ys)
    Source: Gorham & Mackey (2017), section 3.2; Tolstikhin et al. (2018), section 4.
    """
    positive("scale", scale)
    positive("exponent", exponent)
    return lambda xs, ys: jnp.exp(-exponent * jnp.log1p(squared_distances(xs / scale, ys / scale)))


def rational_quadratic(bandwidth: float | Scalar, alpha: float = 1.0) -> Kernel:
    """Returns (1 + |x - y|² / (2 alpha bandwidth²))^-alpha, which is `rbf` for alpha to infinity.

    Raises:
      ValueError: bandwidth or alpha is a number that is not positive.
    Example:
      mixture(*(rational_quadratic(1.0, alpha) for alpha in (0.2, 0.5, 1.0, 2.0, 5.0)))
    Source: Rasmussen & Williams (2006), equation 4.19; Binkowski et al. (2018), section 4.
    """
    positive("bandwidth", bandwidth)
    positive("alpha", alpha)
    return inverse_multiquadric(bandwidth * (2 * alpha) ** 0.5, alpha)


def polynomial(degree: int = 3, *, scale: float | None = None, offset: float = 1.0) -> Kernel:
    """Returns (scale x·y + offset)^degree; with its defaults, the kernel of the KID.

    Args:
      degree: 1 with offset 0 compares the means alone.
      scale: 1 / dims if not given.
    Raises:
      ValueError: degree is below one.
    Example:
      polynomial()(features_x, features_y)
    Source: Binkowski et al. (2018), section 4.
    """
    degree = at_least("degree", degree, 1)

    def gram(xs: Float[Array, "n dims"], ys: Float[Array, "m dims"]) -> Float[Array, "n m"]:
        products = jnp.matmul(xs, ys.T, precision=jax.lax.Precision.HIGHEST)
        return ((1 / xs.shape[1] if scale is None else scale) * products + offset) ** degree

    return gram


def negative_distance(
    xs: Float[Array, "n dims"], ys: Float[Array, "m dims"]
) -> Float[Array, "n m"]:
    """Returns -|x - y|, the kernel whose squared MMD is the energy distance.

    Conditionally positive definite: the weights of a squared MMD sum to zero, so it is no less.

    Example:
      mmd_biased(xs, ys, negative_distance).value
    Source: Sejdinovic et al. (2013), section 4.
    """
    return -distances(xs, ys)


def mixture(*kernels: Kernel) -> Kernel:
    """Returns the mean of `kernels`: no one bandwidth has to fit.

    Under `jit` the distances that they share are computed once.

    Raises:
      ValueError: there are none.
    Example:
      mixture(*(rbf(factor * median) for factor in (0.25, 0.5, 1.0, 2.0, 4.0)))
    Source: Li et al. (2015), section 4.
    """
    at_least("the number of kernels", len(kernels), 1)
    return lambda xs, ys: (
        sum((kernel(xs, ys) for kernel in kernels[1:]), start=kernels[0](xs, ys)) / len(kernels)
    )


def median_heuristic(
    p_samples: Num[Array, "n ..."], q_samples: Num[Array, "m ..."], *, max_points: int = 1000
) -> Scalar:
    """Returns the median distance between different points of the two sets together.

    Exact up to `max_points` points in all. Of more, that many are taken at equal steps through p's
    and then q's, in their order: shuffle samples that are sorted. Pairs of equal points are left
    out, and one is returned if there is no other pair; NaN if a sample is not finite. A constant
    for differentiation, and invariant under exchange of the two sets up to `max_points`, as a
    permutation test needs.

    Raises:
      ValueError: the sets do not match (see `vectors`), or max_points is below two.
    Example:
      kernel = rbf(median_heuristic(xs, ys))
    Source: Gretton et al. (2012), section 8.
    """
    pooled = jnp.concatenate(vectors(p_samples, q_samples, minimum=1))
    max_points = min(at_least("max_points", max_points, 2), len(pooled))
    pooled = jax.lax.stop_gradient(pooled[np.arange(max_points) * len(pooled) // max_points])
    squares = squared_distances(pooled, pooled)[np.triu_indices(max_points, 1)]
    ordered = jnp.sort(jnp.where(squares > 0, squares, jnp.inf))
    count = jnp.sum(squares > 0)
    middle = jnp.sqrt(jnp.stack([ordered[(count - 1) // 2], ordered[count // 2]]))
    median = jnp.where(count > 0, jnp.mean(middle), 1.0)
    return jnp.where(jnp.all(jnp.isfinite(pooled)), median, jnp.nan)
