"""What is measured of one image under a model with a latent, in nats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.distributions import diagonal_normal
from jaxgen.inference import annealed_importance_weight, bidirectional_bounds, linear_temperatures
from jaxgen.metrics import log_marginal
from jaxgen.models import LatentVariableModel, observe
from jaxgen.numerics import log_mean_exp
from jaxgen.objectives import elbo
from jaxgen.types import Key, Params, Scalar
from jaxgen.workbench.gaps import hamiltonian
from jaxgen.workbench.gaussian_inference import encoded_phi


def negative_log_px(
    model: LatentVariableModel, num_samples: int
) -> Callable[[Params, Key, Array], Scalar]:
    """Returns `(params, key, x) -> -log p(x)`, estimated by importance samples of the posterior.

    Example:
      >>> measure = image_by_image(negative_log_px(model, 1000))
      >>> jax.eval_shape(measure, params, key, x).shape
      (5,)
    """

    def one(params: Params, key: Key, x: Array) -> Scalar:
        at = observe(model, params, x)
        return -log_marginal(key, at.log_joint, at.q, num_samples)

    return one


def rate_distortion(
    model: LatentVariableModel, num_samples: int
) -> Callable[[Params, Key, Array], tuple[Scalar, Scalar]]:
    """Returns `(params, key, x) -> (KL(q(z|x) || p(z)), -E_q[log p(x|z)])`, by samples of q.

    Example:
      >>> measure = image_by_image(rate_distortion(model, 20))
      >>> rates, distortions = jax.eval_shape(measure, params, key, x)
    Source: Alemi et al. (2018), "Fixing a broken ELBO", section 2.
    """

    def one(params: Params, key: Key, x: Array) -> tuple[Scalar, Scalar]:
        at = observe(model, params, x)
        terms = jax.vmap(lambda key: elbo(key, at.log_likelihood, at.q, at.prior))(
            jax.random.split(key, num_samples)
        )
        return jnp.mean(terms.kl), -jnp.mean(terms.reconstruction)

    return one


def annealed_log_px(
    model: LatentVariableModel, temperatures: int, chains: int
) -> Callable[[Params, Key, Array], Scalar]:
    """Returns `(params, key, x) -> a lower bound of log p(x)`, in nats, by chains from q(z|x).

    Example:
      >>> log_px = image_by_image(annealed_log_px(model, 50, 8))(params, key, xs)
    Source: Wu et al. (2017), "On the quantitative analysis of decoder-based generative models".
    """
    betas = linear_temperatures(temperatures)

    def one(params: Params, key: Key, x: Array) -> Scalar:
        phi = encoded_phi(model, params, x)
        log_joint, q = observe(model, params, x).log_joint, diagonal_normal(*phi)
        chain = lambda key: annealed_importance_weight(key, log_joint, q, hamiltonian(phi), betas)  # noqa: E731
        return log_mean_exp(jax.vmap(chain)(jax.random.split(key, chains)).log_weight, axis=0)

    return one


def annealed_bracket(
    model: LatentVariableModel, temperatures: int, chains: int
) -> Callable[[Params, Key, Array], tuple[Scalar, Scalar]]:
    """Returns `(params, key, anything) -> bounds of log p(x) from both sides`, of an x of its own.

    The x is drawn from the model, whose latent is then known. How far the bounds lie apart is how
    far `annealed_log_px` is to be trusted of other images.

    Example:
      >>> low, high = image_by_image(annealed_bracket(model, 50, 8))(params, key, jnp.arange(100))
    Source: Wu et al. (2017), section 3.2.
    """
    betas = linear_temperatures(temperatures)

    def one(params: Params, key: Key, number: Array) -> tuple[Scalar, Scalar]:
        key_z, key_x, key_bounds = jax.random.split(key, 3)
        z = model.prior(params).sample(seed=key_z)
        x = model.decode(params, z).sample(seed=key_x)
        phi = encoded_phi(model, params, x)
        log_joint, q = observe(model, params, x).log_joint, diagonal_normal(*phi)
        found = bidirectional_bounds(key_bounds, z, log_joint, q, hamiltonian(phi), betas, chains)
        return found.lower, found.upper

    return one


def sampled_bound(
    model: LatentVariableModel,
    prepare: Callable[[Key, Array], Array],
    num_samples: int = 1,
    *,
    batch_size: int = 50,
) -> Callable[[Params, Key, Array], Scalar]:
    """Returns `(params, key, bytes of one image) -> log 1/K sum_k p(x, z_k) / q(z_k)`, in nats.

    Every z is scored as it is drawn, so that a posterior pays one pass of its nets even where
    scoring any other z takes many (an inverse autoregressive flow). Reparameterized.

    Args:
      prepare: `(key, bytes) -> x`, such as that of an `ImageSet`.
      num_samples: K; of one, the mean is the ELBO.
      batch_size: samples held in memory at once.
    Example:
      >>> bound = sampled_bound(model, images.train.prepare)
      >>> loss = mean_over_batch(lambda params, key, image: (-bound(params, key, image), {}))
    Source: Kingma & Welling (2014); Burda et al. (2016), equation 8.
    """

    def bound(params: Params, key: Key, image: Array) -> Scalar:
        key_x, key_z = jax.random.split(key)
        at = observe(model, params, prepare(key_x, image))
        q: Any = at.q

        def log_weight(key: Key) -> Scalar:
            z, log_q = q.sample_and_log_prob(seed=key)
            return at.log_joint(z) - log_q

        if num_samples == 1:
            return log_weight(key_z)
        keys = jax.random.split(key_z, num_samples)
        return log_mean_exp(jax.lax.map(log_weight, keys, batch_size=batch_size), axis=0)

    return bound
