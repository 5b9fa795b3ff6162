"""Numbers of every image made into numbers of the set."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Mean(NamedTuple):
    """A mean over images.

    Attributes:
      value: the mean.
      stderr: its standard error; another seed of the training moves it more.
    """

    value: float
    stderr: float


def mean_over_images(values: Float[np.ndarray, "n"]) -> Mean:
    """Returns the mean and its standard error, of the choice of images, in the unit of the values.

    Example:
      nll = mean_over_images(test["nll"])
      f"{nll.value:.2f} ± {nll.stderr:.2f}"
    """
    return Mean(float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values))))


def mean_over_draws(values: Float[np.ndarray, "n draws"]) -> Mean:
    """Returns the mean and its standard error, of the draws alone: the images are all there are.

    Example:
      elbo = mean_over_draws(train["elbo"])  # several draws of z for each training image
    """
    variance = values.var(axis=1, ddof=1).mean()
    return Mean(float(values.mean()), float(math.sqrt(variance / values.size)))
