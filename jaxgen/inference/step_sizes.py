"""Step sizes of HMC along an annealing path, found by a pilot run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.inference.ais import annealed
from jaxgen.inference.hmc import LogDensity, hmc_step
from jaxgen.inference.made_once import made_once
from jaxgen.inference.temperatures import Temperatures, rising
from jaxgen.types import Distribution, Key

GAIN = 0.3
"""How far the log step size moves per unit of acceptance off its target, at each temperature."""


def tune_step_sizes(
    key: Key,
    log_joint: LogDensity,
    initial: Distribution,
    betas: Temperatures,
    *,
    num_chains: int,
    num_leapfrog_steps: int,
    first: float = 0.5,
    target_acceptance: float = 0.65,
) -> Float[Array, "steps"]:
    """Returns a step size for each temperature after the first; HMC accepts near the target there.

    A pilot of `num_chains` chains anneals once; after every transition the common step size rises
    if they accepted more than the target on average, and falls otherwise. Adapting within the
    chains that are weighed would bias their weights, so the pilot's draws are thrown away.

    Args:
      log_joint, initial, betas: as for `annealed_importance_weight`; a few hundred temperatures.
      num_chains: over which acceptance is averaged.
      num_leapfrog_steps: of each transition, as it will be used.
      first: the step size at the first temperature, in the unit of z.
      target_acceptance: in (0, 1).
    Raises:
      ValueError: a count is below one, or target_acceptance is outside (0, 1); betas do not
        rise from 0 to 1.
    Example:
      >>> prior, betas = distrax.Normal(0.0, 1.0), linear_temperatures(20)
      >>> log_joint = lambda z: prior.log_prob(z) + distrax.Normal(z, 0.1).log_prob(2.0)
      >>> key = jax.random.key(0)
      >>> sizes = tune_step_sizes(key, log_joint, prior, betas, num_chains=8, num_leapfrog_steps=3)
      >>> def transition(key, log_density, z, beta):
      ...     size = jnp.interp(beta, betas[1:], sizes)
      ...     return hmc_step(key, log_density, z, step_size=size, num_leapfrog_steps=3)
    Source: Wu et al. (2017), section 4.1, who adapt within each chain.
    """
    num_chains = at_least("num_chains", num_chains, 1)
    if not 0 < target_acceptance < 1:
        raise ValueError(f"target_acceptance: got {target_acceptance}, expected a number in (0, 1)")
    schedule = rising(betas)
    key_initial, key_chains = jax.random.split(key)
    step = made_once(_pilot_step, log_joint, initial, num_leapfrog_steps, target_acceptance)
    zs = initial.sample(seed=key_initial, sample_shape=(num_chains,))
    steps = jnp.asarray(schedule[1:], zs.dtype)
    start = (key_chains, zs, jnp.log(jnp.asarray(first, zs.dtype)))
    return jax.lax.scan(step, start, (jnp.arange(len(steps)), steps))[1]


_Pilot: TypeAlias = tuple[Key, Array, Array]
"""The key, where the chains are, and the log of their step size."""


def _pilot_step(
    log_joint: LogDensity, initial: Distribution, num_leapfrog_steps: int, target: float
) -> Callable[[_Pilot, tuple[Array, Array]], tuple[_Pilot, Array]]:
    def step(carry: _Pilot, at: tuple[Array, Array]) -> tuple[_Pilot, Array]:
        key_chains, zs, log_size = carry
        index, beta = at
        density, size = annealed(log_joint, initial, beta), jnp.exp(log_size)

        def move(key: Key, z: Array) -> tuple[Array, Array]:
            z, info = hmc_step(
                key, density, z, step_size=size, num_leapfrog_steps=num_leapfrog_steps
            )
            return z, info.acceptance_probability

        keys = jax.random.split(jax.random.fold_in(key_chains, index), len(zs))
        zs, acceptance = jax.vmap(move)(keys, zs)
        return (key_chains, zs, log_size + GAIN * (jnp.mean(acceptance) - target)), size

    return step
