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
    reweighted_wake_sleep,
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
    "reweighted_wake_sleep": reweighted_wake_sleep,
}
"""By name. The first four want a reparameterizable q. All are unbiased with every bound, but for
two, whose `unbiased` says so: sticking the landing for any but the ELBO at K > 1, and reweighted
wake-sleep, whose q lowers KL(posterior || q) in place of the bound's gap. The doubly
reparameterized ones refuse VR-max; `vimco`, `ovis` and wake-sleep need two samples; `ovis` is of
IWAE alone."""
