"""What is measured of one image under a model with a latent, in nats."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.metrics import log_marginal
from jaxgen.models import LatentVariableModel, observe
from jaxgen.objectives import elbo
from jaxgen.types import Key, Params, Scalar


def negative_log_px(
    model: LatentVariableModel, num_samples: int
) -> Callable[[Params, Key, Array], Scalar]:
    """Returns `(params, key, x) -> -log p(x)`, estimated by importance samples of the posterior.

    Example:
      nll = image_by_image(negative_log_px(model, 1000))(params, key, xs)
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
      rates, distortions = image_by_image(rate_distortion(model, 20))(params, key, xs)
    Source: Alemi et al. (2018), "Fixing a broken ELBO", section 2.
    """

    def one(params: Params, key: Key, x: Array) -> tuple[Scalar, Scalar]:
        at = observe(model, params, x)
        terms = jax.vmap(lambda key: elbo(key, at.log_likelihood, at.q, at.prior))(
            jax.random.split(key, num_samples)
        )
        return jnp.mean(terms.kl), -jnp.mean(terms.reconstruction)

    return one
