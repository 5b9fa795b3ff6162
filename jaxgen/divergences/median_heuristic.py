"""The usual bandwidth of a kernel: the median distance between samples."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.pairwise import Samples, sample_vectors, squared_distances
from jaxgen.types import Scalar


def median_heuristic(p_samples: Samples, q_samples: Samples, *, max_points: int = 1000) -> Scalar:
    """Returns the median distance between different points of the two sets together.

    Exact up to `max_points` points in all. Of more, that many are taken at equal steps through p's
    and then q's, in their order: shuffle samples that are sorted. Pairs of equal points are left
    out, and one is returned if there is no other pair; NaN if a sample is not finite. A constant
    for differentiation, and invariant under exchange of the two sets up to `max_points`, as a
    permutation test needs.

    Raises:
      ValueError: the sets do not match (see `mmd_biased`), or max_points is below two.
    Example:
      >>> xs, ys = jnp.array([[0.0], [1.0]]), jnp.array([[3.0]])
      >>> float(median_heuristic(xs, ys))  # of 1, 2 and 3
      2.0
      >>> kernel = rbf(median_heuristic(xs, ys))
    Source: Gretton et al. (2012), "A kernel two-sample test", section 8.
    """
    pooled = jnp.concatenate(sample_vectors(p_samples=p_samples, q_samples=q_samples))
    return _median(pooled, max_points=min(at_least("max_points", max_points, 2), len(pooled)))


@partial(jax.jit, static_argnames="max_points", inline=True)
def _median(pooled: Float[Array, "n dims"], *, max_points: int) -> Scalar:
    pooled = jax.lax.stop_gradient(pooled[np.arange(max_points) * len(pooled) // max_points])
    squares = squared_distances(pooled, pooled)[np.triu_indices(max_points, 1)]
    ordered = jnp.sort(jnp.where(squares > 0, squares, jnp.inf))
    count = jnp.sum(squares > 0)
    middle = jnp.sqrt(jnp.stack([ordered[(count - 1) // 2], ordered[count // 2]]))
    median = jnp.where(count > 0, jnp.mean(middle), 1.0)
    return jnp.where(jnp.all(jnp.isfinite(pooled)), median, jnp.nan)
