"""The exact Wasserstein distance of two sets of samples: the cheapest matching."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from jaxgen.checks import at_least
from jaxgen.pairwise import Samples, sample_vectors


def wasserstein_distance(p_samples: Samples, q_samples: Samples, *, order: int = 1) -> float:
    """Returns W_order = (min over matchings of mean |x - y|^order)^(1/order), in the samples' unit.

    Exact for the two empirical distributions, in float64, on the host: it takes n² memory and up to
    n³ time, so a few thousand samples at most. Of the distributions that they come from it is
    biased upwards: two draws of one distribution are not at zero. NaN if a sample is not finite.

    Args:
      p_samples: [n, ...].
      q_samples: as many; by `sliced_wasserstein` they may be more or fewer.
      order: 1 or more.
    Raises:
      ValueError: the sets differ in size, or as `mmd_biased` does; order is below one.
    Example:
      >>> xs = jax.random.normal(jax.random.key(0), (20, 2))
      >>> wasserstein_distance(xs, xs + jnp.array([3.0, 4.0]))
      5.0
    Source: Peyré & Cuturi (2019), "Computational Optimal Transport", sections 2.2 and 2.4.
    """
    sets = sample_vectors(1, p_samples=p_samples, q_samples=q_samples)
    xs, ys = (np.asarray(samples, np.float64) for samples in sets)
    order = at_least("order", order, 1)
    if len(xs) != len(ys):
        raise ValueError(f"q_samples: got {len(ys)} of them, expected {len(xs)}, as p_samples has")
    if not (np.isfinite(xs).all() and np.isfinite(ys).all()):
        return float("nan")
    costs = cdist(xs, ys) ** order
    return float(costs[linear_sum_assignment(costs)].mean() ** (1 / order))
