"""Inference in a VAE by a Gaussian for each image, whoever says its mean and scale."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jaxgen.array_checks import arrays
from jaxgen.distributions import diagonal_normal
from jaxgen.estimators import sticking_the_landing
from jaxgen.inference import optimize_local
from jaxgen.models import LatentVariableModel, observe
from jaxgen.types import Info, Key, Params, Scalar

Phi: TypeAlias = Float[Array, "2 latent"]
"""Mean and log scale of q, of one image."""
Infer: TypeAlias = Callable[[Params, Key, Array], Phi]
"""`(params, key, x) -> phi`."""


def encoded_phi(model: LatentVariableModel, params: Params, x: Array) -> Phi:
    """Returns the mean and log scale that the encoder gives.

    Example:
      >>> encoded_phi(model, params, x[0]).shape  # mean and log scale of two latents
      (2, 2)
    """
    arrays("params", params)
    q = model.encode(params, x)
    return jnp.stack([q.mean(), jnp.log(q.stddev())])


def elbo_at(model: LatentVariableModel, params: Params, phi: Phi, key: Key, x: Array) -> Scalar:
    """Returns the ELBO of x at q = N(phi[0], exp(phi[1])²), in nats, by one sample.

    Of the params it needs those of p(z) and p(x|z). Its gradient sticks the landing: the nearer q
    is to the posterior, the less noise it has.

    Example:
      >>> bound = partial(elbo_at, model)  # as `svi_step` wants it
      >>> jax.eval_shape(bound, params, jnp.zeros((2, 2)), key, x[0]).shape
      ()
    """
    arrays("params", params)
    log_weight = observe(model, params, x).log_weight
    return sticking_the_landing().apply((), key, log_weight, diagonal_normal(*phi))[0]


def fitted_phi(
    model: LatentVariableModel,
    start: Callable[[Params, Array], Phi],
    optimizer: optax.GradientTransformation,
    num_steps: int,
) -> Infer:
    """Returns stochastic variational inference of an image from `start`, the model held fixed.

    Args:
      start: `(params, x) -> phi`: an encoder's, or always zeros.
    Example:
      >>> start = lambda params, x: jnp.zeros((2, 2))
      >>> infer = fitted_phi(model, start, optax.adam(0.03), 300)
      >>> jax.eval_shape(infer, params, key, x[0]).shape
      (2, 2)
    """

    def infer(params: Params, key: Key, x: Array) -> Phi:
        phi = start(params, x)

        def bound(phi: Phi, key: Key) -> Scalar:
            return elbo_at(model, params, phi, key, x)

        return optimize_local(key, bound, phi, optimizer, num_steps).params

    return infer


def each_phi(infer: Infer) -> Callable[[Params, Key, Array], Array]:
    """Returns `(params, key, xs) -> phis`, the inference of every image, compiled.

    Image i of n has the i-th key of `jax.random.split(key, n)`.
    Example:
      >>> phis = each_phi(lambda params, key, x: encoded_phi(model, params, x))(params, key, x)
      >>> phis.shape
      (5, 2, 2)
    """

    @jax.jit
    def phis(params: Params, key: Key, xs: Array) -> Float[Array, "n 2 latent"]:
        return jax.vmap(infer, (None, 0, 0))(params, jax.random.split(key, len(xs)), xs)

    return phis


def judge_phis(model: LatentVariableModel, infer: Infer) -> Callable[[Params, Key, Array], Info]:
    """Returns the judge that says the mean ELBO of the held-out images at their phi, compiled.
    Example:
      >>> judge = judge_phis(model, lambda params, key, x: encoded_phi(model, params, x))
      >>> jax.eval_shape(judge, params, key, x)["elbo"].shape
      ()
    """

    @jax.jit
    def judge(params: Params, key: Key, xs: Array) -> Info:
        key_infer, key_bound = jax.random.split(key)
        phis, keys = each_phi(infer)(params, key_infer, xs), jax.random.split(key_bound, len(xs))
        elbos = jax.vmap(partial(elbo_at, model), (None, 0, 0, 0))(params, phis, keys, xs)
        return {"elbo": jnp.mean(elbos)}

    return judge
