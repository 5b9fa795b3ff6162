"""Whether samples repeat each other or the training set, measured by what held-out data do."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxgen.metrics.duplicates import duplicate_share
from jaxgen.pairwise import Samples, nearest, sample_vectors, squared_radii
from jaxgen.types import Scalar


class RepetitionScale(NamedTuple):
    """What `repetition` measures by.

    Attributes:
      train: the training set as vectors.
      radius: within which another sample is a near duplicate.
      to_train: the median distance of held-out data to the nearest training datum.
    Example:
      >>> data = jnp.arange(6.0)[:, None]
      >>> scale = repetition_scale(data[:3], data[3:])
      >>> float(scale.radius), float(scale.to_train)  # of 3, 4, 5 among each other, and from 2
      (1.0, 2.0)
    """

    train: Float[Array, "n dims"]
    radius: Scalar
    to_train: Scalar


class Repetition(NamedTuple):
    """How much samples repeat.

    Attributes:
      duplicates: the share of samples with another one within the radius; of held-out data it is
        about the share that the scale was made with, near one after a collapse.
      distance_to_train: the median distance to the nearest training datum in units of held-out
        data's: one for fresh draws, zero for copies.
    Example:
      >>> found = Repetition(
      ...     duplicates=0.9, distance_to_train=0.0
      ... )  # a few copies of the training set
      >>> found.distance_to_train
      0.0
    """

    duplicates: Scalar
    distance_to_train: Scalar


def repetition_scale(
    train: Samples, held_out: Samples, *, share: Float[ArrayLike, ""] = 0.01
) -> RepetitionScale:
    """Returns what `repetition` measures by; made once, and handed to jitted code as an argument.

    Args:
      train: what the model was trained on, [n, ...].
      held_out: data that it has not seen, as many as there will be samples: [m, ...]. Shares of
        duplicates compare only between equal numbers.
      share: of held-out data that have another one within the radius.
    Raises:
      ValueError: the sets differ in shape, are not of floating point, or have fewer than two.
    Example:
      >>> data = jax.random.normal(jax.random.key(0), (100, 2))
      >>> scale = repetition_scale(data[:80], data[80:])  # once; then an argument of what is jitted
      >>> scale.train.shape
      (80, 2)
    """
    points, unseen = sample_vectors(2, train=train, held_out=held_out)
    radius = jnp.quantile(jnp.sqrt(squared_radii(unseen, 1)), jnp.asarray(share))
    return RepetitionScale(points, radius, jnp.median(nearest(unseen, points).distance))


def repetition(samples: Samples, scale: RepetitionScale) -> Repetition:
    """Returns how much samples repeat each other, and the training set.

    Few duplicates and a distance of one are what held-out data have; a larger distance says that
    samples stray from the data, not that they are original. `jaxgen.two_sample.memorization_test`
    gives the p-value.

    Args:
      samples: as many as the held-out data of `repetition_scale`.
    Raises:
      ValueError: they have other dimensions than the training data, or are not of floating point.
    Example:
      >>> data = jax.random.normal(jax.random.key(0), (100, 2))
      >>> scale = repetition_scale(data[:80], data[80:])
      >>> found = repetition(jnp.repeat(data[:2], 10, axis=0), scale)  # two copies, ten times each
      >>> float(found.duplicates), float(found.distance_to_train)
      (1.0, 0.0)
    Source: Arora et al. (2018), "Do GANs learn the distribution? Some theory and empirics", for
      collapse seen by duplicates.
    """
    (points,) = sample_vectors(2, samples=samples)
    return Repetition(
        duplicate_share(points, scale.radius),
        jnp.median(nearest(points, scale.train).distance) / scale.to_train,
    )
