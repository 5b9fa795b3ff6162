"""Gaussians as models of images: one in closed form, several by EM."""

from __future__ import annotations

import jax
import numpy as np
from jaxtyping import Array, UInt8

from jaxgen.checks import at_least
from jaxgen.data import ImageSet, dequantizer
from jaxgen.inference import em
from jaxgen.models import (
    ComponentFamily,
    Mixture,
    fit_mixture,
    full_gaussian,
    kmeans,
    mixture_density,
    mixture_steps,
    reshaped,
)
from jaxgen.types import Key
from jaxgen.workbench.image_models import ImageModel, dequantized_model

FITTED, STEPS = 10_000, 20
"""Images that they are fitted to, at most; steps of EM."""


def gaussian_model(images: ImageSet, count: int) -> ImageModel:
    """Returns the mixture of so many full Gaussians as a model of dequantized images.

    Example:
      >>> gaussian_model(images.train, 10).likelihood
      'bound'
    """
    shape = images.images.shape[1:]
    density = mixture_density(_family(images.levels), images.images[0].size, count)
    return dequantized_model(reshaped(density, shape), images)


def fit_gaussians(key: Key, images: ImageSet, count: int) -> Mixture:
    """Returns its params: by EM from the clusters of k-means; of one Gaussian, in closed form.

    Args:
      key: of the noise of dequantization; cloned.
      images: the first 10,000 of them are used.
      count: of the Gaussians.
    Example:
      >>> fitted = jax.eval_shape(lambda key: fit_gaussians(key, images.train, 1), key)
      >>> fitted.components.mean.shape
      (1, 64)
    """
    count = at_least("count", count, 1)
    kept: UInt8[np.ndarray, "n height width channels"] = images.images[:FITTED]
    x = dequantizer(images.levels)(jax.random.clone(key), kept).reshape(len(kept), -1)
    labels = np.zeros(len(x), int) if count == 1 else kmeans(np.asarray(x), count)[1]

    @jax.jit
    def fit(x: Array, labels: Array) -> Mixture:
        family = _family(images.levels)
        start = fit_mixture(family, jax.nn.one_hot(labels, count), x)
        return start if count == 1 else em(mixture_steps(family, x), start, STEPS).params

    return fit(x, labels)


def _family(levels: int) -> ComponentFamily:
    """Full Gaussians, of no less variance than the noise within a level has."""
    return full_gaussian(1 / (12 * levels**2))
