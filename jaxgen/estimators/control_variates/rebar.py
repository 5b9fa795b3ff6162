"""REBAR: the relaxed f is the control variate of the score function."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array

from jaxgen.checks import positive
from jaxgen.estimators.base import Estimator, Integrand
from jaxgen.estimators.control_variates.relaxed_control import relaxed_control
from jaxgen.estimators.discrete import Latent
from jaxgen.types import Scalar
from jaxgen.values import known_by_call


@struct.dataclass
class RebarState:
    """What the control variate learns: two scalars, or their shapes or shardings.

    Attributes:
      log_temperature: log t of the relaxation.
      eta: how much of the control variate is subtracted; zero is the plain score function.
    Example:
      >>> state = rebar(temperature=0.5).init(jax.random.key(0), distrax.Bernoulli(0.3))
      >>> jnp.exp(state.log_temperature), state.eta
      (Array(0.5, dtype=float32), Array(1., dtype=float32))
    """

    log_temperature: Any
    eta: Any


@known_by_call
def rebar(num_samples: int = 1, *, temperature: float = 0.5, eta: float = 1.0) -> Estimator:
    """Returns the score function with control variate c(z) = eta f(soften(z / t)).

    Unbiased for any f that has a slope between 0 and 1, where it must accept floats. Low variance
    where the relaxation resembles f. t and eta are learned by lowering `control_loss` (see
    `relaxed_control`), starting from the arguments.

    Args:
      num_samples: S; f is evaluated 2 S times per call, S of them with its slope.
      temperature: t > 0, the width of the softened step in units of the logits.
      eta: the weight of the control variate.
    Raises:
      ValueError: num_samples is below one, temperature not above zero; q is neither Bernoulli nor
        one-hot categorical; the state is ().
    Example:
      >>> estimator, q = rebar(), distrax.Bernoulli(0.3)
      >>> state = estimator.init(jax.random.key(0), q)
      >>> f = lambda b: (b - 0.45) ** 2
      >>> value, estimate = estimator.apply(state, jax.random.key(1), f, q)
      >>> estimate.control_loss  # what `jaxgen.train.estimator_step` lowers
    Source: Tucker et al. (2017), equation 7 and section 3.2.
    """
    temperature = positive("temperature", temperature)
    return relaxed_control(
        num_samples,
        name="rebar",
        init=lambda key, q, context=None: initial_state(temperature, eta),
        control=lambda state, f, latent, z, context: relaxed_objective(state, f, latent, z),
        evaluations_per_sample=2,
    )


def initial_state(temperature: float, eta: float) -> RebarState:
    """Returns the state that starts from temperature t > 0 and weight eta."""
    return RebarState(
        log_temperature=jnp.asarray(math.log(temperature), float), eta=jnp.asarray(eta, float)
    )


def relaxed_objective(state: RebarState, f: Integrand, latent: Latent, z: Array) -> Scalar:
    """Returns eta f(soften(z / t)), in the unit of f."""
    return state.eta * f(latent.soften(z / jnp.exp(state.log_temperature)))
