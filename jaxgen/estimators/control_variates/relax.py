"""RELAX: a control network, alone or beside the relaxed f, is the control variate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array

from jaxgen.checks import positive
from jaxgen.estimators.base import Estimator
from jaxgen.estimators.control_variates.rebar import RebarState, initial_state, relaxed_objective
from jaxgen.estimators.control_variates.relaxed_control import relaxed_control
from jaxgen.estimators.discrete import relaxable
from jaxgen.types import Params
from jaxgen.values import known_by_call

NetworkInit = Callable[[Any, Array, Any], Params]
NetworkApply = Callable[[Params, Array, Any], Array]


@struct.dataclass
class RelaxState:
    """What the control variate learns.

    Attributes:
      relaxed: the temperature and the weight of the relaxed f.
      network: params of the control network r.
    Example:
      >>> init, apply = lambda key, z, x: jnp.zeros_like(z), lambda w, z, x: w * z
      >>> estimator = relax(network_init=init, network_apply=apply)
      >>> estimator.init(jax.random.key(0), distrax.Bernoulli(0.3)).network
      Array(0., dtype=float32)
    """

    relaxed: RebarState
    network: Params


@known_by_call
def relax(
    num_samples: int = 1,
    *,
    network_init: NetworkInit,
    network_apply: NetworkApply,
    temperature: float = 0.5,
    eta: float = 1.0,
) -> Estimator:
    """Returns the score function with control variate c(z) = eta f(soften(z / t)) + r(z).

    Unbiased for any network and any f that has a slope between 0 and 1, where it must accept
    floats. The network, t and eta are learned by lowering `control_loss` (see `relaxed_control`);
    with r = 0 it is REBAR.

    Args:
      num_samples: S; f is evaluated 2 S times per call, S of them with its slope.
      network_init: `(key, z, context) -> params`.
      network_apply: `(params, z, context) -> r(z)`, one number in the unit of f for one z of the
        shape of the logits; smooth in z, since its slope is used.
      temperature: t > 0, where the width of the softened step starts, in units of the logits.
      eta: where the weight of the relaxed f starts.
    Raises:
      ValueError: num_samples is below one, temperature not above zero; q is neither Bernoulli nor
        one-hot categorical; the state is ().
    Example:
      >>> estimator = relax(
      ...     4,
      ...     network_init=lambda key, z, x: jnp.zeros_like(z),
      ...     network_apply=lambda w, z, x: w * jnp.tanh(z),
      ... )
      >>> q = distrax.Bernoulli(0.3)
      >>> state = estimator.init(jax.random.key(0), q)
      >>> value, estimate = estimator.apply(state, jax.random.key(1), lambda b: (b - 0.45) ** 2, q)
      >>> estimate.control_loss.shape  # what `jaxgen.train.estimator_step` lowers
      ()
    Source: Grathwohl et al. (2018), section 3.2 and equation 8.
    """
    temperature = positive("temperature", temperature)

    def init(key, q, context=None):
        z = jnp.zeros_like(relaxable(q).logits)
        network = network_init(key, z, context)
        return RelaxState(relaxed=initial_state(temperature, eta), network=network)

    def control(state, f, latent, z, context):
        return relaxed_objective(state.relaxed, f, latent, z) + network_apply(
            state.network, z, context
        )

    return relaxed_control(
        num_samples, name="relax", init=init, control=control, evaluations_per_sample=2
    )


@known_by_call
def relax_black_box(
    num_samples: int = 1, *, network_init: NetworkInit, network_apply: NetworkApply
) -> Estimator:
    """Returns the score function with control variate c(z) = r(z), f seen at samples alone.

    For f that is costly, has no slope or is not defined between 0 and 1. Otherwise as `relax`.

    Args:
      num_samples: S, draws of b and evaluations of f per call.
      network_init: as in `relax`; the state is what it returns.
      network_apply: as in `relax`.
    Raises:
      ValueError: num_samples is below one; q is neither Bernoulli nor one-hot categorical;
        the state is () and the network's is not.
    Example:
      >>> e = relax_black_box(
      ...     network_init=lambda key, z, x: jnp.zeros_like(z),
      ...     network_apply=lambda w, z, x: w @ jnp.tanh(z),
      ... )
    Source: Grathwohl et al. (2018), equation 7.
    """

    def init(key, q, context=None):
        return network_init(key, jnp.zeros_like(relaxable(q).logits), context)

    def control(state, f, latent, z, context):
        return network_apply(state, z, context)

    return relaxed_control(
        num_samples, name="relax black box", init=init, control=control, evaluations_per_sample=1
    )
