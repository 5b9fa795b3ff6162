"""Hamiltonian Monte Carlo: a transition that leaves a density as it is, guided by its gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from jaxgen.array_checks import of_shape
from jaxgen.checks import at_least, positive
from jaxgen.inference.made_once import made_once
from jaxgen.types import Key, Scalar

LogDensity: TypeAlias = Callable[[Float[Array, "..."]], Array]
"""A point to the log of a density there, in nats; the density need not be normalized."""


class HMCInfo(NamedTuple):
    """What one transition did.

    Attributes:
      acceptance_probability: of the proposal; zero if its energy is not a number.
      accepted: whether the chain moved.
      energy_error: the Hamiltonian at the end of the trajectory less that at its start, in nats; it
        would be zero if the step size were.
    Example:
      >>> info = HMCInfo(jnp.float32(0.9), jnp.array(True), jnp.float32(0.1))
      >>> info.acceptance_probability  # of an energy error of .1 nats: exp(-.1)
      Array(0.9, dtype=float32)
    """

    acceptance_probability: Scalar
    accepted: Bool[Array, ""]
    energy_error: Scalar


def leapfrog(
    log_density: LogDensity,
    z: Float[Array, "*z"],
    momentum: Float[Array, "*z"],
    step_size: Float[ArrayLike, "..."],
    num_steps: int,
) -> tuple[Float[Array, "*z"], Float[Array, "*z"]]:
    """Returns position and momentum after `num_steps` of the leapfrog integrator.

    The map preserves volume, and is its own inverse once the momentum's sign is changed.

    Args:
      step_size: one number, or one for each entry of z (a diagonal mass matrix).
      num_steps: length of the trajectory; it takes one gradient more.
    Raises:
      ValueError: num_steps is below one; momentum, or a step_size of more than one number, is of
        another shape than z; log_density is not one number.
    Example:
      >>> log_density = lambda z: -(z**2) / 2  # an oscillator of period 2 pi
      >>> z, momentum = leapfrog(
      ...     log_density, jnp.float32(1.0), jnp.float32(0.0), 2 * jnp.pi / 100, 50
      ... )
      >>> z
      Array(-1.00, dtype=float32)
    Source: Neal (2011), equations 2.28 to 2.30.
    """
    num_steps = at_least("num_steps", num_steps, 1)
    z, momentum = jnp.asarray(z), jnp.asarray(momentum)
    step_size = jnp.asarray(step_size, z.dtype)  # one tuned in float64 must not widen z
    if step_size.shape:
        of_shape("step_size", step_size, z.shape)

    gradient, step = made_once(_gradient_and_step, log_density)
    start = (step_size, z, momentum, gradient(z))
    (_, z, momentum, _), _ = jax.lax.scan(step, start, length=num_steps)
    return z, momentum


_Leap: TypeAlias = tuple[Array, Array, Array, Array]
"""Step size, position, momentum, and the log density's slope there."""


def _gradient_and_step(
    log_density: LogDensity,
) -> tuple[Callable[[Array], Array], Callable[[_Leap, None], tuple[_Leap, None]]]:
    def of_point(z: Array) -> Array:
        value = log_density(z)
        of_shape("log_density", value, ())
        return value

    gradient = jax.grad(of_point)

    def step(carry: _Leap, _: None) -> tuple[_Leap, None]:
        step_size, z, momentum, slope = carry
        momentum = momentum + 0.5 * step_size * slope
        z = z + step_size * momentum
        slope = gradient(z)
        return (step_size, z, momentum + 0.5 * step_size * slope, slope), None

    return gradient, step


def hmc_step(
    key: Key,
    log_density: LogDensity,
    z: Float[Array, "..."],
    *,
    step_size: Float[ArrayLike, "..."],
    num_leapfrog_steps: int,
) -> tuple[Float[Array, "..."], HMCInfo]:
    """Returns the next point of a chain that leaves `log_density` invariant.

    Fresh Gaussian momentum, a leapfrog trajectory, and Metropolis' test. The transition is
    reversible. A trajectory that reaches a NaN or a density of zero is refused and the chain stays.

    Args:
      z: where the chain is, an array of any shape.
      step_size: one number, or one for each entry of z. An acceptance near 0.65 is about the best.
      num_leapfrog_steps: length of the trajectory; a transition takes one gradient more.
    Raises:
      ValueError: num_leapfrog_steps is below one; step_size is a number not above zero, or of
        another shape than z; log_density is not one number.
    Example:
      >>> log_density = distrax.Normal(3.0, 1.0).log_prob
      >>> def step(z, key):
      ...     z, info = hmc_step(key, log_density, z, step_size=0.5, num_leapfrog_steps=4)
      ...     return z, z
      >>> _, chain = jax.lax.scan(step, jnp.float32(0.0), jax.random.split(jax.random.key(0), 1000))
      >>> jnp.mean(chain)
      Array(3.0, dtype=float32)
    Source: Neal (2011), section 5.3 and figure 2.
    """
    key_momentum, key_test = jax.random.split(key)
    z, step_size = jnp.asarray(z), positive("step_size", step_size)
    momentum = jax.random.normal(key_momentum, z.shape, z.dtype)
    proposal, momentum_end = leapfrog(log_density, z, momentum, step_size, num_leapfrog_steps)
    energy_error = (log_density(z) - 0.5 * jnp.sum(momentum**2)) - (
        log_density(proposal) - 0.5 * jnp.sum(momentum_end**2)
    )
    acceptance = jnp.nan_to_num(jnp.exp(-jnp.maximum(energy_error, 0.0)), nan=0.0)
    accepted = jax.random.uniform(key_test, dtype=acceptance.dtype) < acceptance
    return jnp.where(accepted, proposal, z), HMCInfo(acceptance, accepted, energy_error)
