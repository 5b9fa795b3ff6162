"""Expectation maximization: coordinate ascent on the evidence lower bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxgen.array_checks import arrays
from jaxgen.checks import at_least
from jaxgen.inference.made_once import made_once
from jaxgen.numerics import all_finite
from jaxgen.types import Params, Scalar

Posterior = Any
"""q over the latents of the whole data set, as a pytree of arrays."""


class EMSteps(NamedTuple):
    """A latent-variable model and its data, as EM sees them.

    Attributes:
      e_step: `params -> q`, the posterior of every datapoint; raises the bound in q.
      m_step: `q -> params`, the maximizer of the expected log joint; raises the bound in params.
      elbo: `(params, q) -> ` the evidence lower bound, in nats per datapoint (a mean over them).
    Example:
      >>> steps = EMSteps(  # one number each: the bound is highest at zero
      ...     e_step=lambda params: params / 2,
      ...     m_step=lambda q: q,
      ...     elbo=lambda params, q: -((params - q) ** 2) - q**2,
      ... )
      >>> em(steps, jnp.float32(1.0), 3).params
      Array(0.125, dtype=float32)
    """

    e_step: Callable[[Params], Posterior]
    m_step: Callable[[Posterior], Params]
    elbo: Callable[[Params, Posterior], Scalar]


class EMResult(NamedTuple):
    """Where EM went.

    Attributes:
      params: after the last M-step.
      after_e_step: the bound after each E-step, in nats per datapoint. If the E-step is exact, this
        is the mean log p(x) under the params that the step began with.
      after_m_step: the bound after each M-step, still at the q of the E-step before it.
      all_finite: whether both bounds are finite at every step, and the params neither NaN nor
        +inf: -inf is the log weight of a component that no datapoint is given to.
    Example:
      >>> steps = EMSteps(lambda params: params / 2, lambda q: q, lambda params, q: -(params**2))
      >>> result = em(steps, jnp.float32(1.0), 2)
      >>> result.after_e_step, result.after_m_step  # it never falls
      (Array([-1.  , -0.25], dtype=float32), Array([-0.25  , -0.0625], dtype=float32))
    """

    params: Params
    after_e_step: Float[Array, "steps"]
    after_m_step: Float[Array, "steps"]
    all_finite: Bool[Array, ""]


def em(steps: EMSteps, params: Params, num_steps: int) -> EMResult:
    """Alternates exact maximization of the ELBO over q and over the params, in one scan.

    Read in turn, `after_e_step[0], after_m_step[0], after_e_step[1], ...` never falls, whatever
    the start, up to the rounding of the arithmetic (use float64 to see it). Several starts are one
    `vmap` over `params`.

    Args:
      steps: the E-step, the M-step and the bound, over some data.
      params: the start.
      num_steps: E- and M-steps, each.
    Raises:
      ValueError: num_steps is below one; params is no pytree of arrays.
    Example:
      >>> xs = jnp.array([[-2.1], [-1.9], [1.9], [2.1]])
      >>> halves = jnp.array([[0.9, 0.1]] * 2 + [[0.1, 0.9]] * 2)
      >>> start = fit_mixture(diagonal_gaussian(), halves, xs)
      >>> result = em(mixture_steps(diagonal_gaussian(), xs), start, 5)
      >>> result.params.components.mean[:, 0]
      Array([-2.,  2.], dtype=float32)
    Source: Dempster et al. (1977); as coordinate ascent, Neal & Hinton (1998), section 2.
    """
    num_steps = at_least("num_steps", num_steps, 1)
    arrays("params", params)

    both = made_once(_both_steps, *steps)
    params, (after_e_step, after_m_step) = jax.lax.scan(both, params, length=num_steps)
    logs_of_zero = jax.tree.map(lambda leaf: jnp.where(leaf == -jnp.inf, 0, leaf), params)
    finite = all_finite((logs_of_zero, after_e_step, after_m_step))
    return EMResult(params, after_e_step, after_m_step, finite)


def _both_steps(
    e_step: Callable[[Params], Posterior],
    m_step: Callable[[Posterior], Params],
    elbo: Callable[[Params, Posterior], Scalar],
) -> Callable[[Params, None], tuple[Params, tuple[Array, Array]]]:
    def step(params: Params, _: None) -> tuple[Params, tuple[Array, Array]]:
        q = e_step(params)
        new_params = m_step(q)
        return new_params, (elbo(params, q), elbo(new_params, q))

    return step
