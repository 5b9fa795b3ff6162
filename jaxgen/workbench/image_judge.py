"""One judge for all models of a set of images: the same test images, keys and counts."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgen.metrics import Interval
from jaxgen.types import Key, Params
from jaxgen.workbench.blocks import image_by_image, map_in_blocks
from jaxgen.workbench.features import load_features
from jaxgen.workbench.image_models import ImageModel
from jaxgen.workbench.images import Images
from jaxgen.workbench.sample_scores import (
    FEWEST,
    Reals,
    SampleScores,
    classifier_accuracy,
    score_samples,
)
from jaxgen.workbench.summary import Mean, mean_over_images

Samples = Float[Array | np.ndarray, "count height width channels"]


class ImageJudge:
    """What measures likelihoods and samples of models of one set.

    Attributes:
      count: samples of each model.
      test: bytes of the test images.

    Args:
      images: splits of the set.
      at_most: test images, and samples of each model.
      key: of draws, noise and tests; the same for all models.
      features: run directory of a classifier whose features are compared; None for the pixels.
    Raises:
      ValueError: there are too few images to judge by; the message names the flag --dataset.
    Example:
      >>> judge = ImageJudge(images, 50, key)
      >>> judge.count, judge.test.shape
      (50, (50, 8, 8, 1))
    """

    def __init__(self, images: Images, at_most: int, key: Key, features: Any = None):
        self.test = images.test.images[:at_most]
        self.count = min(len(images.validation.images), len(self.test))
        if self.count < FEWEST:
            raise ValueError(
                f"dataset: got {self.count} images of {images.test.name} to judge by, expected at "
                f"least {FEWEST} to validate and as many to test"
            )
        self._fresh = images.validation.images[: self.count]
        self._features = load_features(features, self.test.shape[1:])
        sets = images.train.images, images.validation.images[:at_most], self.test
        self._reals = Reals(*(jnp.asarray(self._features(of)) for of in sets))
        self._key_draw, self._key_nll, self._key_score = jax.random.split(key, 3)
        # Compiled once for a model, whatever its params.
        self._drawing = cache(lambda draw: jax.jit(jax.vmap(draw, (None, 0))))
        self._measuring = cache(image_by_image)
        self._seen = jax.jit(lambda x: self._features(jnp.rint(255 * x).astype(jnp.uint8)))

    def draw(self, model: ImageModel, params: Params) -> Samples:
        """Returns `count` draws of a model, on the host."""
        keys = jax.random.split(jax.random.clone(self._key_draw), self.count)
        return np.asarray(self._drawing(model.draw)(params, keys))

    def log_prob(self, model: ImageModel, params: Params) -> Float[np.ndarray, "test"]:
        """Returns the nats of each test image; NaN of a model without a likelihood."""
        if model.log_prob is None:
            return np.full(len(self.test), np.nan)
        measure = partial(self._measuring(model.log_prob), params)
        return map_in_blocks(measure, jax.random.clone(self._key_nll), self.test, "test NLL")

    def bracket(self, model: ImageModel, params: Params) -> Mean:
        """Returns how far the two bounds of log p(x) lie apart, of images that the model draws.

        So far is a bound by annealed importance sampling to be trusted.
        """
        if model.bracket is None:
            raise ValueError("model: got one without a bracket, expected that of `latent_model`")
        measure = image_by_image(model.bracket)
        numbers = jnp.arange(self.count)
        low, high = jax.device_get(measure(params, jax.random.clone(self._key_nll), numbers))
        return mean_over_images(np.asarray(high - low, np.float64))

    def score(self, samples: Samples) -> SampleScores:
        """Returns the scores of a model's samples."""
        return score_samples(self._key_score, self._reals, self._seen(np.asarray(samples)))

    def score_fresh(self) -> SampleScores:
        """Returns the scores of data that no model has seen, as many: those of a perfect model."""
        # These are the validation set: others choose the bandwidth for them.
        reals = self._reals._replace(validation=self._reals.train[-len(self._reals.validation) :])
        return score_samples(self._key_score, reals, jnp.asarray(self._features(self._fresh)))

    def accuracy(self, samples: Samples) -> Interval:
        """Returns the accuracy of a classifier that tells the samples from test images."""
        return classifier_accuracy(
            self._key_score, self._reals.test, self._seen(np.asarray(samples))
        )
