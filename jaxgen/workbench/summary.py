"""Numbers of every image made into numbers of the set."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from jaxgen.train import mean_over_batch
from jaxgen.types import Info, Key, Params


class Mean(NamedTuple):
    """A mean over images.

    Attributes:
      value: the mean.
      stderr: its standard error; of the images alone, another seed of the training moves it more.
    """

    value: float
    stderr: float


def mean_over_images(values: Float[np.ndarray, "n"]) -> Mean:
    """Returns the mean and its standard error, in the unit of the values.

    Example:
      nll = mean_over_images(test["nll"])
      f"{nll.value:.2f} ± {nll.stderr:.2f}"
    """
    return Mean(float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values))))


def judge_by(one: Callable[..., tuple[jax.Array, Info]]) -> Callable[[Params, Key, Any], Info]:
    """Returns the judge of a training that reports the mean terms of the held-out datapoints.

    Args:
      one: `(params, key, datapoint) -> (scalar, terms)`, as `mean_over_batch` takes it.
    Example:
      train(out, state, update, images, judge_by(negative_elbo(model, prepare)), ...)
    """

    @jax.jit
    def judge(params: Params, key: Key, held_out: Any) -> Info:
        return mean_over_batch(one)(params, key, held_out)[1]

    return judge
