"""Bidirectional Monte Carlo: log p(x) of a simulated datapoint between two bounds."""

from __future__ import annotations

from typing import NamedTuple

import jax
from jaxtyping import Array

from jaxgen.checks import at_least
from jaxgen.inference.ais import (
    AnnealedWeight,
    Transition,
    annealed_importance_weight,
    reverse_annealed_importance_weight,
)
from jaxgen.inference.hmc import LogDensity
from jaxgen.inference.temperatures import Temperatures
from jaxgen.numerics import log_mean_exp
from jaxgen.types import Distribution, Key, Scalar


class BidirectionalBounds(NamedTuple):
    """Stochastic bounds on one datapoint's log p(x), in nats.

    Attributes:
      lower: below log p(x) in expectation.
      upper: above log p(x) in expectation.
      forward: the chains of the lower bound, on a leading axis.
      reverse: the chains of the upper bound, likewise.
    """

    lower: Scalar
    upper: Scalar
    forward: AnnealedWeight
    reverse: AnnealedWeight


def bidirectional_bounds(
    key: Key,
    z: Array,
    log_joint: LogDensity,
    initial: Distribution,
    transition: Transition,
    betas: Temperatures,
    num_chains: int,
) -> BidirectionalBounds:
    """Returns bounds on log p(x) of a simulated datapoint from both sides: BDMC.

    On real data, where no exact posterior sample exists, only the lower bound can be had; the gap
    on data that the model itself generated says how far to trust it there.

    Args:
      z: the latent that x was generated from.
      log_joint, initial, transition, betas: as for `reverse_annealed_importance_weight`.
      num_chains: K, in each direction.
    Raises:
      ValueError: num_chains is below one; betas do not rise from 0 to 1.
    Example:
      >>> z = prior.sample(seed=key_z)
      >>> x = decode(z).sample(seed=key_x)
      >>> log_joint = lambda z: prior.log_prob(z) + decode(z).log_prob(x)
      >>> bounds = bidirectional_bounds(key, z, log_joint, prior, transition, betas, 16)
    Source: Grosse, Ghahramani & Adams (2015), section 3; Wu et al. (2017), section 3.2.
    """
    num_chains = at_least("num_chains", num_chains, 1)
    key_forward, key_reverse = jax.random.split(key)

    def forwards(key: Key) -> AnnealedWeight:
        return annealed_importance_weight(key, log_joint, initial, transition, betas)

    def backwards(key: Key) -> AnnealedWeight:
        return reverse_annealed_importance_weight(key, z, log_joint, initial, transition, betas)

    forward = jax.vmap(forwards)(jax.random.split(key_forward, num_chains))
    reverse = jax.vmap(backwards)(jax.random.split(key_reverse, num_chains))
    lower = log_mean_exp(forward.log_weight, axis=0)
    upper = -log_mean_exp(-reverse.log_weight, axis=0)
    return BidirectionalBounds(lower, upper, forward, reverse)
