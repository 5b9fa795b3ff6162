"""Bound and gradient are orthogonal: the gradients that any bound can be climbed by."""

from __future__ import annotations

from typing import Protocol

from jaxgen.bounds import Bound
from jaxgen.estimators import (
    Estimator,
    doubly_reparameterized,
    generalized_doubly_reparameterized,
    over_sets,
    ovis,
    pathwise,
    sticking_the_landing,
    vimco,
)


class BoundEstimator(Protocol):
    """`(num_samples, bound=...) -> estimator` of grad E[bound], for an f that is a log weight.

    Written `def f(z, q=q): return log_joint(z) - q.log_prob(z)`, one f serves them all but the
    generalized one, which asks for a parameter prior besides; `Observed.log_weight` has both.

    Example:
      >>> GRADIENTS["vimco"](8, bound=renyi(0.5))
      vimco(8, bound=renyi(0.5))
    """

    def __call__(self, num_samples: int, *, bound: Bound) -> Estimator:
        """The estimator of the bound of `num_samples` draws."""
        ...


GRADIENTS: dict[str, BoundEstimator] = {
    "pathwise": pathwise,
    "sticking_the_landing": sticking_the_landing,
    "doubly_reparameterized": doubly_reparameterized,
    "generalized_doubly_reparameterized": generalized_doubly_reparameterized,
    "score_function": over_sets,
    "vimco": vimco,
    "ovis": ovis,
}
"""By name. The first four want a reparameterizable q; all are unbiased with every bound, except
that sticking the landing is biased for any but the ELBO at K > 1 (its `unbiased` says so). The two
doubly reparameterized ones refuse VR-max, `vimco` and `ovis` need two samples, and `ovis` is of
IWAE alone."""
