"""Annealed importance sampling, forwards and backwards: a weight from a chain of temperatures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from jaxgen.inference.hmc import LogDensity
from jaxgen.inference.made_once import made_once
from jaxgen.inference.temperatures import Temperatures, rising
from jaxgen.numerics import all_finite, highest_precision
from jaxgen.types import Distribution, Key, Scalar

Transition: TypeAlias = Callable[[Key, LogDensity, Array, Scalar], tuple[Array, Any]]
"""`(key, log_density, z, beta) -> (z, info)`: leaves the density invariant. The density is the
annealed one at inverse temperature beta, which is given so that a step size may follow it."""


def annealed(log_joint: LogDensity, initial: Distribution, beta: Scalar) -> LogDensity:
    """Returns the density on the geometric path from `initial` (beta 0) to `log_joint` (beta 1).

    Example:
      >>> halfway = annealed(log_joint, prior, 0.5)  # the prior times the likelihood's square root
    """
    return lambda z: (1 - beta) * initial.log_prob(z) + beta * log_joint(z)


class AnnealedWeight(NamedTuple):
    """One chain of annealed importance sampling.

    Attributes:
      log_weight: of the whole path, in nats.
      z: the last point: near the posterior after a forward chain, near `initial` after a reverse.
      info: of the transitions, in the order of rising beta, on a leading axis.
      all_finite: whether the weight is.
    Example:
      >>> chain = AnnealedWeight(jnp.float32(-2.3), jnp.float32(0.9), None, jnp.array(True))
      >>> chain.log_weight if chain.all_finite else "annealed too fast"
      Array(-2.3, dtype=float32)
    """

    log_weight: Scalar
    z: Array
    info: Any
    all_finite: Bool[Array, ""]


@highest_precision
def annealed_importance_weight(
    key: Key,
    log_joint: LogDensity,
    initial: Distribution,
    transition: Transition,
    betas: Temperatures,
) -> AnnealedWeight:
    """Returns one weight w with E[w] = p(x), from a chain that anneals `initial` to the posterior.

    The path is geometric, initial(z)^(1 - beta) p(x, z)^beta. By Jensen E[log w] <= log p(x), and
    of any number of independent chains log 1/K sum_k w_k is a tighter lower bound in expectation;
    by Markov it exceeds log p(x) by b nats with probability at most exp(-b).

    Args:
      log_joint: z to log p(x, z), in nats, for the one x at hand.
      initial: normalized, easily sampled: the prior, or an encoder's q(z|x).
      transition: leaves the annealed density invariant, e.g. `hmc_step`.
      betas: rising from 0 to 1, fixed at compile time: `linear_temperatures(1000)`.
    Raises:
      ValueError: betas do not rise from 0 to 1; log_joint is not one number; transition returns no
        pair of a z like the one given and what it tells.
    Example:
      >>> prior, betas = distrax.Normal(0.0, 1.0), linear_temperatures(20)
      >>> log_joint = lambda z: prior.log_prob(z) + distrax.Normal(z, 1.0).log_prob(2.0)
      >>> def step(key, log_density, z, beta):
      ...     return hmc_step(key, log_density, z, step_size=0.5, num_leapfrog_steps=3)
      >>> chain = lambda key: annealed_importance_weight(key, log_joint, prior, step, betas)
      >>> keys = jax.random.split(jax.random.key(0), 100)
      >>> log_mean_exp(jax.vmap(chain)(keys).log_weight, axis=0)  # log N(2; 0, 2) is -2.27
      Array(-2.3, dtype=float32)
    Source: Neal (2001), section 2; Wu et al. (2017), section 3.1.
    """
    step = made_once(forward_step, log_joint, initial, transition)
    return weigh_forwards(key, step, initial, betas)


@highest_precision
def reverse_annealed_importance_weight(
    key: Key,
    z: Array,
    log_joint: LogDensity,
    initial: Distribution,
    transition: Transition,
    betas: Temperatures,
) -> AnnealedWeight:
    """Returns one weight w with E[1/w] = 1/p(x), from a chain that anneals the posterior away.

    It starts from an exact posterior sample, which one has for simulated data: z from the prior,
    then x from p(x|z). E[log w] >= log p(x), and -log 1/K sum_k 1/w_k is a tighter upper bound.

    Args:
      z: an exact sample of p(z | x).
      log_joint, initial, betas: as for `annealed_importance_weight`.
      transition: must be reversible, as `hmc_step` is.
    Raises:
      ValueError: betas do not rise from 0 to 1; log_joint is not one number; transition returns no
        pair of a z like the one given and what it tells.
    Example:
      >>> prior, betas = distrax.Normal(0.0, 1.0), linear_temperatures(20)
      >>> log_joint = lambda z: prior.log_prob(z) + distrax.Normal(z, 1.0).log_prob(2.0)
      >>> def step(key, log_density, z, beta):
      ...     return hmc_step(key, log_density, z, step_size=0.5, num_leapfrog_steps=3)
      >>> z = jnp.float32(1.3)  # drawn from p(z | x = 2), N(1, 1/2)
      >>> chain = lambda key: reverse_annealed_importance_weight(
      ...     key, z, log_joint, prior, step, betas
      ... )
      >>> keys = jax.random.split(jax.random.key(0), 100)
      >>> -log_mean_exp(-jax.vmap(chain)(keys).log_weight, axis=0)  # log N(2; 0, 2) is -2.27
      Array(-2.3, dtype=float32)
    Source: Grosse et al. (2016), section 2.2; Wu et al. (2017), section 3.2.
    """
    step = made_once(reverse_step, log_joint, initial, transition)
    return weigh_backwards(key, step, z, betas)


class _Temperature(NamedTuple):
    """One step of the schedule: from `beta - rise` to `beta`."""

    number: Array
    beta: Array
    rise: Array


_Chain: TypeAlias = tuple[Key, Array]
"""A chain's key and its point."""

ChainStep: TypeAlias = Callable[[_Chain, _Temperature], tuple[_Chain, tuple[Array, Any]]]
"""A chain's step to the next temperature, and beside it the log weight's increment and info."""


def forward_step(log_joint: LogDensity, initial: Distribution, transition: Transition) -> ChainStep:
    """Returns the step to a higher temperature: it weighs, then moves."""

    def step(chain: _Chain, at: _Temperature) -> tuple[_Chain, tuple[Array, Any]]:
        key, z = chain
        increment = at.rise * _log_ratio(log_joint, initial, z)
        key_step = jax.random.fold_in(key, at.number)
        z, info = _moved(transition, key_step, annealed(log_joint, initial, at.beta), z, at.beta)
        return (key, z), (increment, info)

    return step


def reverse_step(log_joint: LogDensity, initial: Distribution, transition: Transition) -> ChainStep:
    """Returns the step to a lower temperature: it moves, then weighs."""

    def step(chain: _Chain, at: _Temperature) -> tuple[_Chain, tuple[Array, Any]]:
        key, z = chain
        key_step = jax.random.fold_in(key, at.number)
        z, info = _moved(transition, key_step, annealed(log_joint, initial, at.beta), z, at.beta)
        return (key, z), (at.rise * _log_ratio(log_joint, initial, z), info)

    return step


def weigh_forwards(
    key: Key, step: ChainStep, initial: Distribution, betas: Temperatures
) -> AnnealedWeight:
    """Returns the weight of a chain of `forward_step`, from a draw of `initial`."""
    key_initial, key_chain = jax.random.split(key)
    z = initial.sample(seed=key_initial)
    (_, z), (increments, info) = jax.lax.scan(step, (key_chain, z), _temperatures(betas))
    log_weight = jnp.sum(increments)
    return AnnealedWeight(log_weight, z, info, all_finite(log_weight))


def weigh_backwards(key: Key, step: ChainStep, z: Array, betas: Temperatures) -> AnnealedWeight:
    """Returns the weight of a chain of `reverse_step`, from a sample of the posterior."""
    (_, z), (increments, info) = jax.lax.scan(step, (key, z), _temperatures(betas), reverse=True)
    log_weight = jnp.sum(increments)
    return AnnealedWeight(log_weight, z, info, all_finite(log_weight))


def _moved(
    transition: Transition, key: Key, log_density: LogDensity, z: Array, beta: Array
) -> tuple[Array, Any]:
    made = transition(key, log_density, z, beta)
    if not isinstance(made, tuple) or len(made) != 2:
        raise ValueError(
            f"transition: got a {type(made).__name__}, expected (z, info): return `z, {{}}` if "
            "there is nothing to tell"
        )
    if (shape := jnp.shape(made[0])) != jnp.shape(z):
        raise ValueError(f"transition: got a z of shape {shape}, expected {jnp.shape(z)}")
    return made


def _log_ratio(log_joint: LogDensity, initial: Distribution, z: Array) -> Scalar:
    ratio = log_joint(z) - initial.log_prob(z)
    if jnp.shape(ratio):
        raise ValueError(
            f"log_joint: got shape {jnp.shape(ratio)} less initial's log_prob, expected one number "
            "for one z: jax.vmap over datapoints"
        )
    return ratio


def _temperatures(betas: Temperatures) -> _Temperature:
    """Returns the steps of the schedule on a leading axis."""
    schedule = rising(betas)
    rises = np.diff(schedule)
    return _Temperature(jnp.arange(len(rises)), jnp.asarray(schedule[1:]), jnp.asarray(rises))
