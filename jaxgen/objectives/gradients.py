"""Bound and gradient are orthogonal: the gradients that any bound can be climbed by."""

from __future__ import annotations

from collections.abc import Callable

from jaxgen.bounds import Bound
from jaxgen.estimators import (
    Estimator,
    doubly_reparameterized,
    over_sets,
    pathwise,
    score_function,
    sticking_the_landing,
    vimco,
)

Gradient = Callable[[int, Bound], Estimator]
"""`(num_samples, bound) -> estimator` of grad E[bound], for an f that is a log weight: written
`def f(z, q=q): return log_joint(z) - q.log_prob(z)` it serves them all."""


def score_of_sets(num_samples: int, bound: Bound) -> Estimator:
    """Returns the plain score function of the bound: for comparison.

    Add a baseline by `over_sets(score_function(num_sets, baseline), num_samples, bound)`.
    """
    return over_sets(score_function(), num_samples, bound)


GRADIENTS: dict[str, Gradient] = {
    "pathwise": pathwise,
    "sticking_the_landing": sticking_the_landing,
    "doubly_reparameterized": doubly_reparameterized,
    "score_function": score_of_sets,
    "vimco": vimco,
}
"""By name. The first three want a reparameterizable q; all are unbiased with every bound, except
that sticking the landing is biased for any but the ELBO at K > 1 (its `unbiased` says so), that
`doubly_reparameterized` refuses VR-max and that `vimco` needs two samples."""
