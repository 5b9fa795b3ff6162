"""Leave-one-out (RLOO): each sample's baseline is the mean of f over the others."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.estimators.base import Objective
from jaxgen.estimators.baselines import Baseline, Control, stateless
from jaxgen.types import Distribution


def leave_one_out() -> Baseline:
    """Returns the baseline h_s = 1/(S-1) sum_{r != s} f(z_r), for S >= 2 samples.

    Free of state and of extra evaluations, and independent of z_s, so unbiased.

    Example:
      score_function(4, baseline=leave_one_out())  # the RLOO estimator
    Source: Salimans & Knowles (2014); Kool et al. (2019).
    """

    def apply(
        f: Objective, q: Distribution, samples: Array, values: Array, context: Any
    ) -> Control:
        return Control((jnp.sum(values) - values) / (len(values) - 1))

    return stateless(apply, min_samples=2)
