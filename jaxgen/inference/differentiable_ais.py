"""Annealed importance sampling without rejections: a bound of log p(x) with a gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxgen.inference.ais import AnnealedWeight, annealed
from jaxgen.inference.hmc import LogDensity, leapfrog
from jaxgen.inference.made_once import made_once
from jaxgen.inference.temperatures import Temperatures, rising
from jaxgen.numerics import all_finite, highest_precision
from jaxgen.types import Distribution, Key


@highest_precision
def differentiable_annealed_weight(
    key: Key,
    log_joint: LogDensity,
    initial: Distribution,
    betas: Temperatures,
    *,
    step_size: Float[ArrayLike, "..."],
    momentum_kept: float = 0.9,
) -> AnnealedWeight:
    """Returns one weight w with E[w] = p(x), which is differentiable in all that it is made of.

        log w = log p(x, z_T) - log initial(z_0) + sum_t [log N(u_t; 0, 1) - log N(v_t; 0, 1)]

    z_0 comes from `initial` and the momentum v_1 from N(0, I). Step t is one leapfrog step, from
    (z_(t-1), v_t) to (z_t, u_t), under initial(z)^(1 - beta_t) p(x, z)^beta_t; then the momentum is
    renewed, v_(t+1) = c u_t + sqrt(1 - c²) noise. Nothing is rejected, so the path moves smoothly
    with the parameters of the model, of `initial` and with the step size: its mean, E[log w] <=
    log p(x), is a bound to climb, and so is IWAE's of several.

    Args:
      log_joint: z to log p(x, z), in nats, for the one x at hand.
      initial: normalized and reparameterizable: the prior, or an encoder's q(z|x).
      betas: rising from 0 to 1, fixed at compile time: `linear_temperatures(10)`.
      step_size: of the leapfrog steps, one number, or one for each entry of z; may be learned.
      momentum_kept: c, from 0 (all anew) to below 1.
    Raises:
      ValueError: betas do not rise from 0 to 1; momentum_kept is not in [0, 1).
    Example:
      >>> prior, betas = distrax.Normal(0.0, 1.0), linear_temperatures(8)
      >>> log_joint = lambda z: prior.log_prob(z) + distrax.Normal(z, 1.0).log_prob(2.0)
      >>> def bound(step_size, key):
      ...     chain = differentiable_annealed_weight(
      ...         key, log_joint, prior, betas, step_size=step_size
      ...     )
      ...     return chain.log_weight
      >>> slope = jax.grad(bound)(0.3, jax.random.key(0))  # log N(2; 0, 2) is -2.27
    Source: Geffner & Domke (2021); Zhang et al. (2021).
    """
    if not 0 <= momentum_kept < 1:
        raise ValueError(f"momentum_kept: got {momentum_kept}, expected a number in [0, 1)")
    key_initial, key_momentum, key_chain = jax.random.split(key, 3)
    start = initial.sample(seed=key_initial)
    momentum = jax.random.normal(key_momentum, start.shape, start.dtype)
    step = made_once(_step, log_joint, initial, momentum_kept)
    schedule = rising(betas)[1:]
    at = (np.arange(len(schedule)), jnp.asarray(schedule, start.dtype))
    chain = (key_chain, jnp.asarray(step_size, start.dtype), start, momentum)
    (_, _, z, _), gains = jax.lax.scan(step, chain, at)
    log_weight = log_joint(z) - initial.log_prob(start) + jnp.sum(gains)
    return AnnealedWeight(log_weight, z, None, all_finite(log_weight))


def _step(log_joint: LogDensity, initial: Distribution, momentum_kept: float) -> Callable:
    def step(chain: tuple, at: tuple[Array, Array]) -> tuple[tuple, Any]:
        (key, step_size, z, momentum), (number, beta) = chain, at
        z, arrived = leapfrog(annealed(log_joint, initial, beta), z, momentum, step_size, 1)
        gain = (jnp.sum(momentum**2) - jnp.sum(arrived**2)) / 2
        noise = jax.random.normal(jax.random.fold_in(key, number), z.shape, z.dtype)
        renewed = momentum_kept * arrived + (1 - momentum_kept**2) ** 0.5 * noise
        return (key, step_size, z, renewed), gain

    return step
