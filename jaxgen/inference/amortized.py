"""Losses of a model with an encoder: its phi as it says it, or after local steps from there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import optax
from jaxtyping import Array

from jaxgen.checks import at_least
from jaxgen.inference.svi import optimize_local
from jaxgen.types import Info, Key, Params


def amortized_loss(
    objective: Callable[[Params, Params, Key, Any], Array],
    encode: Callable[[Params, Any], Params],
) -> Callable[[Params, Key, Any], tuple[Array, Info]]:
    """Returns one datapoint's loss -ELBO(params, encode(params, x)), that of a VAE.

    Args:
      objective: `(params, phi, key, x) -> ` one datapoint's ELBO, in nats.
      encode: `(params, x) -> phi`.
    Returns:
      `(params, key, x) -> (loss, info)`, for `mean_over_batch`. Info: `elbo`, in nats.
    Example:
      >>> def objective(params, phi, key, x):  # of q = N(phi, 1) and the model N(z, 1) of x
      ...     q, prior = distrax.Normal(phi, 1.0), distrax.Normal(0.0, 1.0)
      ...     return elbo(key, lambda z: distrax.Normal(z, 1.0).log_prob(x), q, prior).elbo
      >>> loss = amortized_loss(objective, lambda params, x: params["slope"] * x)
      >>> value, info = loss({"slope": 0.5}, jax.random.key(0), 2.0)
      >>> bool(value == -info["elbo"])
      True
    Source: Kingma & Welling (2014).
    """

    def loss(params: Params, key: Key, x: Any) -> tuple[Array, Info]:
        elbo = objective(params, encode(params, x), key, x)
        return -elbo, {"elbo": elbo}

    return loss


def semi_amortized_loss(
    objective: Callable[[Params, Params, Key, Any], Array],
    encode: Callable[[Params, Any], Params],
    local_optimizer: optax.GradientTransformation,
    num_local_steps: int,
) -> Callable[[Params, Key, Any], tuple[Array, Info]]:
    """Returns one datapoint's loss, whose decoder learns after local steps from the encoder's phi.

        loss = -ELBO(stop(params), phi_0) - ELBO(params, stop(phi_T)),   phi_0 = encode(params, x)

    and phi_T is phi_0 after `num_local_steps`. The encoder learns from the bound at its own phi, as
    that of a VAE does; everything else from the bound at phi_T. Nothing is differentiated through
    the local steps.

    Args:
      objective: `(params, phi, key, x) -> ` one datapoint's ELBO, in nats; it has no use for the
        encoder.
      encode: `(params, x) -> phi`, unconstrained.
      local_optimizer: of phi; it starts afresh for each datapoint.
      num_local_steps: updates of phi.
    Returns:
      `(params, key, x) -> (loss, info)`, for `mean_over_batch`. Info: `elbo` at phi_T, in nats.
    Raises:
      ValueError: num_local_steps is below one.
    Example:
      >>> def objective(params, phi, key, x):  # of q = N(phi, 1) and the model N(z, 1) of x
      ...     q, prior = distrax.Normal(phi, 1.0), distrax.Normal(0.0, 1.0)
      ...     return elbo(key, lambda z: distrax.Normal(z, 1.0).log_prob(x), q, prior).elbo
      >>> encode = lambda params, x: params["slope"] * x
      >>> loss = mean_over_batch(semi_amortized_loss(objective, encode, optax.sgd(0.1), 5))
      >>> params, key, xs = {"slope": 0.0}, jax.random.key(0), jnp.array([2.0, -1.0])
      >>> gradient, info = jax.grad(loss, has_aux=True)(params, key, xs)
      >>> bool(gradient["slope"] < 0)  # the encoder's slope is to rise, to 1/2
      True
    Source: Krishnan et al. (2018), algorithm 1; Kim et al. (2018) differentiate through the steps
      instead.
    """
    num_local_steps = at_least("num_local_steps", num_local_steps, 1)

    def loss(params: Params, key: Key, x: Any) -> tuple[Array, Info]:
        key_local, key_encoder, key_decoder = jax.random.split(key, 3)
        held = jax.lax.stop_gradient(params)
        phi = encode(params, x)
        of_encoder = objective(held, phi, key_encoder, x)
        optimum = optimize_local(
            key_local,
            lambda phi, key: objective(held, phi, key, x),
            jax.lax.stop_gradient(phi),
            local_optimizer,
            num_local_steps,
        )
        elbo = objective(params, optimum.params, key_decoder, x)
        return -(of_encoder + elbo), {"elbo": elbo}

    return loss
