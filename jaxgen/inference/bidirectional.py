"""Bidirectional Monte Carlo: log p(x) of a simulated datapoint between two bounds."""

from __future__ import annotations

from typing import NamedTuple

import jax
from jaxtyping import Array

from jaxgen.checks import at_least
from jaxgen.inference.ais import (
    AnnealedWeight,
    Transition,
    forward_step,
    reverse_step,
    weigh_backwards,
    weigh_forwards,
)
from jaxgen.inference.hmc import LogDensity
from jaxgen.inference.made_once import made_once
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
    Example:
      >>> bounds = BidirectionalBounds(jnp.float32(-2.4), jnp.float32(-2.2), None, None)
      >>> bounds.upper - bounds.lower  # how far log p(x) may lie from either
      Array(0.2, dtype=float32)
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
      >>> prior = distrax.Normal(0.0, 1.0)
      >>> z, x = jnp.float32(1.3), 2.0  # simulated: z from the prior, x from N(z, 1)
      >>> log_joint = lambda z: prior.log_prob(z) + distrax.Normal(z, 1.0).log_prob(x)
      >>> def step(key, log_density, z, beta):
      ...     return hmc_step(key, log_density, z, step_size=0.5, num_leapfrog_steps=3)
      >>> bounds = bidirectional_bounds(
      ...     jax.random.key(0), z, log_joint, prior, step, linear_temperatures(20), 100
      ... )
      >>> bounds.lower, bounds.upper  # log N(2; 0, 2) is -2.27
      (Array(-2.3, dtype=float32), Array(-2.3, dtype=float32))
    Source: Grosse et al. (2015), section 3; Wu et al. (2017), section 3.2.
    """
    num_chains = at_least("num_chains", num_chains, 1)
    key_forward, key_reverse = jax.random.split(key)

    up = made_once(forward_step, log_joint, initial, transition)
    down = made_once(reverse_step, log_joint, initial, transition)

    def forwards(key: Key) -> AnnealedWeight:
        return weigh_forwards(key, up, initial, betas)

    def backwards(key: Key) -> AnnealedWeight:
        return weigh_backwards(key, down, z, betas)

    forward = jax.vmap(forwards)(jax.random.split(key_forward, num_chains))
    reverse = jax.vmap(backwards)(jax.random.split(key_reverse, num_chains))
    lower = log_mean_exp(forward.log_weight, axis=0)
    upper = -log_mean_exp(-reverse.log_weight, axis=0)
    return BidirectionalBounds(lower, upper, forward, reverse)
