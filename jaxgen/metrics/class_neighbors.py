"""How well features tell classes apart, if a sample is taken for what its nearest neighbor is."""

from __future__ import annotations

from functools import partial
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxgen.array_checks import class_labels
from jaxgen.pairwise import Samples, is_nearest, map_distances, sample_vectors

Labels: TypeAlias = Int[Array, "_"] | Int[np.ndarray, "_"]
"""The class of each sample, an integer of at least 0."""


def neighbor_accuracy(
    features: Samples,
    labels: Labels,
    test_features: Samples,
    test_labels: Labels,
    *,
    block_size: int = 256,
) -> Float[Array, "m"]:
    """Returns for every test sample whether its nearest neighbor is of its class: 1 or 0.

    Of several nearest ones it is the share that are. The mean is the accuracy of the classifier by
    one nearest neighbor, in the Euclidean distance of the features as they are.

    Args:
      features: of the samples whose labels are known, [n, ...].
      labels: theirs, integers of at least 0.
      test_features: [m, ...].
      test_labels: of these.
      block_size: test samples at a time; memory grows with it and with n.
    Raises:
      ValueError: features of unlike shape or not of floating point; labels that are no integers, or
        not one for each sample.
    Example:
      >>> features, labels = jnp.array([[0.0], [1.0]]), jnp.array([0, 1])
      >>> right = neighbor_accuracy(features, labels, jnp.array([[0.1], [0.2]]), jnp.array([0, 1]))
      >>> right.tolist(), float(right.mean())  # of each test sample, and the accuracy
      ([1.0, 0.0], 0.5)
    Source: Donahue et al. (2017), "Adversarial feature learning", section 4.2.
    """
    points, queries = sample_vectors(features=features, test_features=test_features)
    for these, of in ((labels, points), (test_labels, queries)):
        class_labels(these, jnp.iinfo(jnp.int32).max, len(of))
    return _shares(points, labels, queries, test_labels, block_size=block_size)


@partial(jax.jit, static_argnames="block_size", inline=True)
def _shares(
    points: Float[Array, "n dims"],
    labels: Int[Array, "n"],
    queries: Float[Array, "m dims"],
    test_labels: Int[Array, "m"],
    *,
    block_size: int,
) -> Float[Array, "m"]:
    def share(squares: Float[Array, "n"], label: Int[Array, ""]) -> Float[Array, ""]:
        nearest = is_nearest(squares)
        return jnp.sum(nearest & (labels == label)) / jnp.sum(nearest)

    return map_distances(share, queries, points, test_labels, block_size=block_size)
