"""Scores of a translation that need no pairs and no labels: to choose a checkpoint by."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from jaxgen.divergences import Kernel, mmd_biased
from jaxgen.metrics.frechet import frechet_distance
from jaxgen.metrics.translation import Translate, by, distances, unit_images
from jaxgen.numerics import at_least_float32, highest_precision
from jaxgen.types import Scalar


class UnpairedScores(NamedTuple):
    """What is seen of a translation without pairs, both ways added; the less the better.

    Attributes:
      rounded_cycle: mean absolute difference of images to what comes back of their translations in
        8 bits, which carry no hidden message.
      frechet: Fréchet distance of features between translations and the other domain.
      mmd: squared maximum mean discrepancy of the features, biased, never negative.
    Example:
      >>> found = UnpairedScores(rounded_cycle=0.0, frechet=1.5, mmd=0.1)  # the less the better
      >>> found.frechet
      1.5
    """

    rounded_cycle: Scalar
    frechet: Scalar
    mmd: Scalar


@highest_precision
def unpaired_scores(
    forward: Translate,
    backward: Translate,
    x: Float[Array, "n ..."],
    y: Float[Array, "m ..."],
    kernel: Kernel,
    features: Translate = lambda images: images,
) -> UnpairedScores:
    """Returns the scores of a translation and its way back on images of both domains.

    None of them sees the pairing. Where the domains hold the same things in unlike shares, the
    distances reward a translation that makes one thing of another to match the shares.

    Args:
      forward: X to Y.
      backward: Y to X.
      x: images of X, in [0, 1].
      y: images of Y; no partners of x, whose distances would be zero for the true map alone.
      kernel: of the features.
      features: of images, [n, ...]; by default the pixels.
    Raises:
      ValueError: a domain has fewer than two images, they are not of floating point or, where they
        are not traced, not in [0, 1]; what comes back is of another shape.
    Example:
      >>> x = jax.random.uniform(jax.random.key(0), (20, 2, 2, 1))
      >>> invert = lambda images: 1 - images
      >>> found = unpaired_scores(invert, invert, x, invert(x), rbf(2.0))
      >>> float(found.frechet), float(found.mmd)
      (0.0, 0.0)
    """
    x, y = unit_images("x", x, 2), unit_images("y", y, 2)
    fake_y, fake_x = by("forward", forward, x), by("backward", backward, y)
    pairs = [(fake_y, y), (fake_x, x)]
    of = [tuple(_vectors(features(images)) for images in pair) for pair in pairs]
    ways = [(backward(_rounded(fake_y)), x), (forward(_rounded(fake_x)), y)]
    return UnpairedScores(
        rounded_cycle=sum(
            (jnp.mean(distances("cycle", *way)) for way in ways), start=jnp.float32(0)
        ),
        frechet=sum((frechet_distance(b, a).value for a, b in of), start=jnp.float32(0)),
        mmd=sum((mmd_biased(a, b, kernel).value for a, b in of), start=jnp.float32(0)),
    )


def disagreement(translations: Num[Array, "seeds n ..."]) -> Float[Array, "seeds"]:
    """Returns how far each of several translations of the same images is from the others.

    The mean absolute difference of pixels to each other one. Trainings that differ in their start
    alone agree where the data and the nets leave one map; wrong maps are many.

    Raises:
      ValueError: there are fewer than two, or they are not of floating point.
    Example:
      >>> disagreement(jnp.array([[[0.0, 0.0]], [[0.0, 0.0]], [[1.0, 1.0]]])).tolist()
      [0.5, 0.5, 1.0]
    """
    translations = at_least_float32("translations", translations)
    seeds = len(translations)
    if seeds < 2:
        raise ValueError(f"translations: got {seeds}, expected two or more")

    return _to_the_others(translations)


@partial(jax.jit, inline=True)
def _to_the_others(translations: Float[Array, "seeds n ..."]) -> Float[Array, "seeds"]:
    seeds = len(translations)

    def one(own: Array) -> Scalar:  # itself is at distance zero
        return jnp.mean(jnp.abs(translations - own)) * seeds / (seeds - 1)

    return jax.lax.map(one, translations)


def _vectors(features: Float[Array, "n ..."]) -> Float[Array, "n dims"]:
    return features.reshape(len(features), -1)


def _rounded(images: Array) -> Array:
    return jnp.rint(255 * images) / 255
