"""Numbers of every image, or of every seed, made into a mean and how far it may be off."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats


class Mean(NamedTuple):
    """A mean over images.

    Attributes:
      value: the mean.
      stderr: its standard error; another seed of the training moves it more.
    Example:
      >>> Mean(93.1, 0.5).named("nll")
      {'nll': 93.1, 'nll_stderr': 0.5}
    """

    value: float
    stderr: float

    def named(self, name: str) -> dict[str, float]:
        """Returns both as a result has them, the second as `{name}_stderr`.

        Example:
          >>> result = {**mean_over_images(test["nll"]).named("test_nll")}
        """
        return {name: self.value, f"{name}_stderr": self.stderr}


def mean_over_images(values: Float[np.ndarray, "n"]) -> Mean:
    """Returns the mean and its standard error, of the choice of images, in the unit of the values.

    Example:
      >>> mean_over_images(np.array([1.0, 3.0]))
      Mean(value=2.0, stderr=1.0)
    """
    return Mean(float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values))))


def mean_over_draws(values: Float[np.ndarray, "n draws"]) -> Mean:
    """Returns the mean and its standard error, of the draws alone: the images are all there are.

    Example:
      >>> mean_over_draws(np.array([[1.0, 3.0], [2.0, 4.0]]))  # two draws of each image
      Mean(value=2.5, stderr=0.7071)
    """
    variance = values.var(axis=1, ddof=1).mean()
    return Mean(float(values.mean()), float(math.sqrt(variance / values.size)))


class Seeds(NamedTuple):
    """A mean over seeds.

    Attributes:
      value: the mean.
      half_width: of its 95% interval by Student's t; None of one seed, which says nothing of it.
    Example:
      >>> Seeds(0.99, None).half_width is None  # of one seed
      True
    """

    value: float
    half_width: float | None


def mean_over_seeds(values: Float[np.ndarray, "seeds"]) -> Seeds:
    """Returns the mean over trainings that differ in nothing but their seed, and its interval.

    Example:
      >>> entropy = mean_over_seeds(np.array([0.98, 1.0, 0.99]))
      >>> f"{entropy.value:.2f} ± {entropy.half_width:.2f}"
    """
    count = len(values)
    if count < 2:
        return Seeds(values.mean(), None)
    half = stats.t.ppf(0.975, count - 1) / math.sqrt(count)
    return Seeds(values.mean(), half * values.std(ddof=1))
