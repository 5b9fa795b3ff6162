"""Losses of one image under a latent-variable model: reparameterized, or by any estimator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.estimators import Estimate, Estimator
from jaxgen.models import LatentVariableModel, observe
from jaxgen.numerics import effective_sample_size
from jaxgen.objectives import KL, analytic_kl, elbo
from jaxgen.train import EstimatorLoss
from jaxgen.types import Info, Key, Params


def negative_elbo(
    model: LatentVariableModel, prepare: Callable[[Key, Array], Array], *, kl: KL = analytic_kl
) -> Callable[..., tuple[Array, Info]]:
    """Returns `(params, key, bytes of one image, beta=1) -> (beta KL - reconstruction, terms)`.

    The terms are `elbo` (at beta = 1), `reconstruction` and `kl`, in nats.

    Args:
      prepare: `(key, bytes) -> x`, such as that of an `ImageSet`.
      kl: in closed form, or estimated at the sample of z.
    Example:
      >>> one = negative_elbo(model, images.train.prepare)
      >>> update = gradient_step(mean_over_batch(one), optax.adam(1e-3))
    Source: Higgins et al. (2017), beta-VAE, for the weight.
    """

    def one(params: Params, key: Key, image: Array, beta: Any = 1.0) -> tuple[Array, Info]:
        key_x, key_z = jax.random.split(key)
        at = observe(model, params, prepare(key_x, image))
        terms = elbo(key_z, at.log_likelihood, at.q, at.prior, kl=kl)
        return beta * terms.kl - terms.reconstruction, {"elbo": terms.elbo, **terms._asdict()}

    return one


def negative_bound(
    model: LatentVariableModel, prepare: Callable[[Key, Array], Array], estimator: Estimator
) -> Callable[[Params, Key, Array], tuple[Array, Info]]:
    """Returns `(params, key, bytes of one image) -> (minus its bound, terms)`, by an estimator.

    The terms are `bound`; `elbo`, the mean log weight; and `ess`, the weights' effective number.

    Args:
      prepare: `(key, bytes) -> x`, such as that of an `ImageSet`.
      estimator: of any bound, with nothing to learn.
    Example:
      >>> estimator = doubly_reparameterized(5, bound=IWAE)
      >>> loss = mean_over_batch(negative_bound(model, images.train.prepare, estimator))
    """

    def one(params: Params, key: Key, image: Array) -> tuple[Array, Info]:
        key_x, key_z = jax.random.split(key)
        at = observe(model, params, prepare(key_x, image))
        bound, estimate = estimator.apply((), key_z, at.log_weight, at.q)
        terms = {"elbo": jnp.mean(estimate.values), "ess": effective_sample_size(estimate.values)}
        return -bound, {"bound": bound, **terms}

    return one


def estimator_loss(
    model: LatentVariableModel,
    prepare: Callable[[Key, Array], Array],
    estimator: Estimator,
    context: Callable[[Array], Any] = lambda x: x,
) -> EstimatorLoss:
    """Returns `(params, state, key, bytes of one image) -> (-bound, estimate, {"elbo"})`.

    The bound is what the estimator climbs from log p(x, z) - log q(z|x): the ELBO, or VIMCO's. The
    `elbo`, in nats, is that of a fresh sample of q, so that all estimators are told by one number.

    Args:
      prepare: `(key, bytes) -> x`, such as that of an `ImageSet`.
      estimator: of the gradient in the params of q.
      context: of x, what a learned baseline or control variate sees.
    Example:
      >>> loss = estimator_loss(model, images.train.prepare, pathwise())
      >>> update = estimator_step(loss, pathwise(), optax.adam(1e-3))
    Source: Mnih & Gregor (2014); Dong et al. (2020).
    """

    def loss(params: Params, state: Any, key: Key, image: Array) -> tuple[Array, Estimate, Info]:
        key_x, key_z, key_elbo = jax.random.split(key, 3)
        x = prepare(key_x, image)
        at = observe(model, params, x)
        surrogate, estimate = estimator.apply(state, key_z, at.log_weight, at.q, context(x))
        return -surrogate, estimate, {"elbo": at.log_weight(at.q.sample(seed=key_elbo))}

    return loss
