"""Models that are good by one number and bad by another (Theis et al. 2016)."""

from __future__ import annotations

from typing import TypeAlias

import jax
import numpy as np

from jaxgen.array_checks import arrays
from jaxgen.data import ImageSet
from jaxgen.models import Density, kmeans, memorizer, mixed, parzen_window, uniform_levels
from jaxgen.types import Params
from jaxgen.workbench.image_models import ImageModel, dequantized_model, levels_model

Fitted: TypeAlias = tuple[ImageModel, Params]
"""A model of images and its params."""

SHARE, COPIES_STD = 0.01, 0.05
"""Of the model in the noise; standard deviation of the noise on copies."""


def adversaries(images: ImageSet, model: Density, params: Params, count: int) -> dict[str, Fitted]:
    """Returns the adversaries with their params, by their names.

    - `.01 of it in noise`: a hundredth of the model, and noise: likelihood loses 4.6 nats at most;
    - `memorizer`: the training images, which every test that only compares with other data passes;
    - `centroids`: of k-means, which the Parzen estimate likes better than images;
    - `noisy copies` of the training images;
    - `noise`, uniform over the levels.

    Args:
      images: to train on.
      model: of the levels, in the context ().
      params: the model's.
      count: of the centroids.
    Example:
      >>> spoiled = adversaries(images.train, uniform_levels((8, 8, 1), 2), {}, 5)
      >>> list(spoiled)
      ['0.01 of it in noise', 'memorizer', 'centroids', 'noisy copies', 'noise']
    Source: Theis et al. (2016), "A note on the evaluation of generative models", section 3.
    """
    arrays("params", params)
    levels, shape = images.levels, images.images.shape[1:]
    x = images.images.astype(np.float32) / 255
    centroids = np.rint(kmeans(x, count)[0] * (levels - 1)) / (levels - 1)
    # The middle of each level's interval, of those that `dequantized_model` rounds down.
    middles = (np.rint(x * (levels - 1)) + 0.5) / levels
    noise = uniform_levels(shape, levels)
    models = {
        "memorizer": levels_model(memorizer(x), images),
        "centroids": levels_model(memorizer(centroids), images),
        "noisy copies": dequantized_model(parzen_window(middles, COPIES_STD), images),
        "noise": levels_model(noise, images),
    }
    of_key = jax.random.key(0)  # they have nothing to draw
    in_noise = levels_model(mixed(model, noise, SHARE), images), {"p": params, "q": {}}
    fitted = {name: (of, of.init(of_key)) for name, of in models.items()}
    return {f"{SHARE:g} of it in noise": in_noise, **fitted}
