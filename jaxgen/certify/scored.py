"""A density at given params, drawn from and scored on the host, many points at a time."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from jaxgen.array_checks import one_distribution
from jaxgen.models import Density
from jaxgen.numerics import all_finite
from jaxgen.types import Key, Params

ENTRIES = 2**15
"""Of events scored at a time."""


class Scored:
    """p(. | context) at params, for checks that run on the host in float64.

    Args:
      density: of one distribution, in the context.
      params: of it.
      context: of it.
    Raises:
      ValueError: it is a batch of distributions.
    """

    def __init__(self, density: Density, params: Params, context: Any):
        self._density, self._params, self._context = density, params, context
        self.example = density.distribution(params, context)
        one_distribution(self.example)
        self.dtype: Any = None
        self._score = jax.jit(jax.vmap(self._log_prob, (None, 0)))

    def _log_prob(self, params: Params, x: Array) -> Array:
        return self._density.distribution(params, self._context).log_prob(x)

    def draw(self, key: Key, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns draws, and what they were told to score when they were drawn."""

        def sample(params: Params, key: Key) -> tuple[Array, Array]:
            p = self._density.distribution(params, self._context)
            together = getattr(p, "sample_and_log_prob", None)
            if together is not None:
                return together(seed=key, sample_shape=(count,))
            xs = p.sample(seed=key, sample_shape=(count,))
            return xs, jax.vmap(p.log_prob)(xs)

        xs, told = jax.jit(sample)(self._params, key)
        self._kind = xs.dtype
        return np.asarray(xs), np.asarray(told, np.float64)

    def log_prob(self, xs: np.ndarray) -> np.ndarray:
        """Returns the log probability of each point, in blocks of one size, compiled once."""
        block = max(1, ENTRIES // max(1, xs[0].size))
        parts = []
        for start in range(0, len(xs), block):
            part = np.asarray(xs[start : start + block], self._kind)
            padded = np.concatenate([part, np.repeat(part[-1:], block - len(part), axis=0)])
            scores = self._score(self._params, padded.reshape(block, *self.example.event_shape))
            self.dtype = scores.dtype
            parts.append(np.asarray(scores, np.float64)[: len(part)])
        return np.concatenate(parts)

    def wrong_gradients(self, xs: np.ndarray) -> tuple[int, int]:
        """Returns at how many draws a gradient is not finite, and at how many far points a NaN is.

        Gradients in the params and, of a density over the reals, in x. Far points lie ten times as
        far from zero and from the draws' mean.
        """
        over_reals = np.issubdtype(xs.dtype, np.floating)

        def gradient(params: Params, x: Array) -> tuple[Array, Array]:
            which = (0, 1) if over_reals else 0
            score, grads = jax.value_and_grad(self._log_prob, which, allow_int=True)(params, x)
            return score, all_finite(grads)

        mean = xs.mean(axis=0) if over_reals else 0
        points = np.concatenate([xs, mean + 10 * (xs - mean) if over_reals else xs])
        scores, finite = jax.jit(jax.vmap(gradient, (None, 0)))(self._params, points)
        scores, finite = np.asarray(scores), np.asarray(finite)
        near, far = finite[: len(xs)], finite[len(xs) :]
        far_scores = scores[len(xs) :]
        wrong = np.isnan(far_scores) | (np.isfinite(far_scores) & ~far)
        return int(np.sum(~near)), int(np.sum(wrong))
