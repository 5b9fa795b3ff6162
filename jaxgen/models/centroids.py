"""Centroids of k-means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Float, Int

from jaxgen.array_checks import floats
from jaxgen.checks import at_least


def kmeans(
    xs: ArrayLike | Sequence[Any], count: int, *, seed: int = 0
) -> tuple[Float[np.ndarray, "count *event"], Int[np.ndarray, "n"]]:
    """Returns the centroids of k-means, and which of them each datapoint is nearest to.

    The labels are a start for EM, `fit_mixture(family, jax.nn.one_hot(labels, count), xs)`; the
    centroids, a sampler that fools the Parzen estimate, `memorizer(centroids)`.

    Args:
      xs: data of any one shape.
      count: of centroids, at most as many as there are data.
      seed: of the start, one of k-means++.
    Raises:
      ValueError: count is out of range, the seed is negative, or the data are none, not finite, or
        not of floating point, as their means are.
    Example:
      >>> centroids, labels = kmeans(np.array([[0.0], [2.0], [10.0], [12.0]]), 2)
      >>> sorted(centroids.ravel().tolist())
      [1.0, 11.0]
    Source: Lloyd (1982); Arthur & Vassilvitskii (2007), "k-means++". Computed by scikit-learn.
    """
    from sklearn.cluster import KMeans  # slow to import

    xs, seed = np.asarray(xs), at_least("seed", seed, 0)
    floats("xs", xs)
    if xs.ndim < 1 or not xs.size or not np.isfinite(xs).all():
        found = f"shape {xs.shape}" if not xs.ndim or not xs.size else "numbers that are not finite"
        raise ValueError(f"xs: got {found}, expected datapoints along the leading axis")
    if at_least("count", count, 1) > len(xs):
        raise ValueError(f"count: got {count}, expected at most {len(xs)}, the datapoints")
    flat = xs.reshape(len(xs), -1)
    fitted = KMeans(count, n_init="auto", random_state=seed).fit(flat)  # once, for k-means++
    centroids = fitted.cluster_centers_.astype(flat.dtype).reshape(count, *xs.shape[1:])
    return centroids, np.asarray(fitted.labels_)
