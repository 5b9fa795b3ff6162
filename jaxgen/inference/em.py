"""Expectation maximization: coordinate ascent on the evidence lower bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jaxtyping import Array, Bool, Float

from jaxgen.checks import at_least
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
      all_finite: whether all of these are finite.
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
      ValueError: num_steps is below one.
    Example:
      >>> result = em(mixture_steps(full_gaussian(), xs), initial_mixture, 100)
    Source: Dempster, Laird & Rubin (1977); as coordinate ascent, Neal & Hinton (1998), section 2.
    """
    num_steps = at_least("num_steps", num_steps, 1)

    def step(params: Params, _: None) -> tuple[Params, tuple[Array, Array]]:
        q = steps.e_step(params)
        new_params = steps.m_step(q)
        return new_params, (steps.elbo(params, q), steps.elbo(new_params, q))

    params, (after_e_step, after_m_step) = jax.lax.scan(step, params, length=num_steps)
    finite = all_finite((params, after_e_step, after_m_step))
    return EMResult(params, after_e_step, after_m_step, finite)
