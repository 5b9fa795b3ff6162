"""Whose is the nearest sample? A test by held-out samples, and the accuracy with each left out."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgen.numerics import all_finite
from jaxgen.pairwise import Samples, is_nearest, map_distances, sample_vectors
from jaxgen.two_sample.classifier import accuracy_test
from jaxgen.two_sample.result import TestResult, result
from jaxgen.types import Scalar


class NeighborAccuracy(NamedTuple):
    """How often the nearest other sample is of the same kind.

    For equal distributions and n of each kind both are (n - 1) / (2n - 1) on average, just below a
    half. Read them apart: where the model's are few points among many data, p's is high and q's
    low, and the mean of both a half; where the model copies the data, both are near zero.

    Attributes:
      p: of the data.
      q: of the model's samples.
    Example:
      >>> found = NeighborAccuracy(p=jnp.array(0.9), q=jnp.array(0.1))  # few points among many data
      >>> float(found.p + found.q) / 2
      0.5
    """

    p: Scalar
    q: Scalar


def neighbor_accuracy(
    p_samples: Samples, q_samples: Samples, *, block_size: int = 256
) -> NeighborAccuracy:
    """Returns the accuracies of the 1-nearest-neighbor classifier, each sample left out in turn.

    The numbers to report; they have no p-value, for one sample is the neighbor of several. Of
    several at the same least distance each counts in part. NaN if a sample is not finite.

    Args:
      p_samples: the data, or features of them; the samples may have any one shape.
      q_samples: as many of the model.
      block_size: samples compared with all others at a time; memory grows with it and with n.
    Raises:
      ValueError: samples of unlike shape or not as many of q as of p, or block_size is below one.
    Example:
      >>> data, copies = jnp.arange(4.0), jnp.arange(4.0) + 0.1
      >>> float(neighbor_accuracy(data, copies).p)  # nearest to each datum is its copy
      0.0
    Source: Lopez-Paz & Oquab (2017), "Revisiting classifier two-sample tests", section 3; Xu et al.
      (2018), "An empirical study on evaluation metrics of generative adversarial networks", section
      2.
    """
    xs, ys = _as_many(p_samples, q_samples, 1)
    pooled = jnp.concatenate([xs, ys])
    of_p = _share_of_p(pooled, xs, ys, leave_one_out=True, block_size=block_size)
    shares = jnp.mean(of_p[: len(xs)]), 1 - jnp.mean(of_p[len(xs) :])
    finite = all_finite(pooled)
    return NeighborAccuracy(*(jnp.where(finite, share, jnp.nan) for share in shares))


def nearest_neighbor_test(
    p_samples: Samples, q_samples: Samples, *, block_size: int = 256
) -> TestResult:
    """Returns the classifier test of p = q that learns nothing: whose sample is the nearest?

    One half of each set is what the other is compared with: a sample is p's where the nearest of
    all is p's, or most of those at the least distance. The halves are drawn at random, always
    alike, so that sets sorted by class are halved as others are. The votes are independent, as
    those of `neighbor_accuracy` are not. Cheap enough to be looked at while a generator trains in
    few dimensions; a trained classifier sees more.

    Args:
      p_samples: the data, independent, in any order; the samples may have any one shape.
      q_samples: as many of the model.
      block_size: samples compared with all known ones at a time; memory grows with it and with n.
    Raises:
      ValueError: samples of unlike shape, or not as many of q as of p, fewer than 2, or block_size
        is below one.
    Example:
      >>> xs = jax.random.normal(jax.random.key(0), (100, 1))
      >>> outcome = nearest_neighbor_test(xs, xs + 10)
      >>> float(outcome.statistic), bool(outcome.p_value < 1e-6)  # near 1/2 if they are alike
      (1.0, True)
    Source: Lopez-Paz & Oquab (2017), "Revisiting classifier two-sample tests", section 3, with the
      1-nearest-neighbor classifier.
    """
    xs, ys = map(shuffled, _as_many(p_samples, q_samples, 2))
    half = len(xs) // 2
    held_out = jnp.concatenate([xs[-half:], ys[-half:]])
    of_p = _share_of_p(held_out, xs[:half], ys[:half], leave_one_out=False, block_size=block_size)
    scores = 2 * of_p - 1
    outcome = accuracy_test(scores[:half], scores[half:])
    return result(outcome.statistic, outcome.p_value, (outcome, xs, ys))


def shuffled(samples: Float[Array, "n dims"]) -> Float[Array, "n dims"]:
    """Returns the samples in a random order, the same for every set of n."""
    return samples[np.argsort(np.random.PCG64(0).random_raw(len(samples)))]


def _as_many(
    p_samples: Samples, q_samples: Samples, minimum: int
) -> tuple[Float[Array, "n dims"], Float[Array, "n dims"]]:
    xs, ys = sample_vectors(minimum, p_samples=p_samples, q_samples=q_samples)
    if len(xs) != len(ys):
        raise ValueError(f"q_samples: got {len(ys)} samples, expected as many as of p, {len(xs)}")
    return xs, ys


@partial(jax.jit, static_argnames=("leave_one_out", "block_size"), inline=True)
def _share_of_p(
    queries: Float[Array, "m dims"],
    xs: Float[Array, "n dims"],
    ys: Float[Array, "n dims"],
    *,
    leave_one_out: bool,
    block_size: int,
) -> Float[Array, "m"]:
    """Returns the share of xs among the nearest of xs and ys together."""

    def share(squares: Array) -> Array:
        nearest = is_nearest(squares)
        return jnp.sum(nearest[: len(xs)]) / jnp.sum(nearest)

    known = jnp.concatenate([xs, ys])
    return map_distances(share, queries, known, leave_one_out=leave_one_out, block_size=block_size)
