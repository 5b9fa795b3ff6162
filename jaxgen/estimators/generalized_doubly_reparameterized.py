"""GDReG: DReG for the prior's parameters too, whose score is reparameterized as well."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.bounds import IWAE, Bound
from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Integrand
from jaxgen.estimators.doubly_reparameterized import path_weights_of
from jaxgen.estimators.evaluation import evaluate, finite, log_prob, with_gradient
from jaxgen.estimators.fixed_noise import at_fixed_noise
from jaxgen.estimators.held import held
from jaxgen.estimators.pathwise import reparameterized_samples
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call


@known_by_call
def generalized_doubly_reparameterized(num_samples: int = 1, *, bound: Bound = IWAE) -> Estimator:
    """Returns `doubly_reparameterized`, with a path for the prior's parameters in place of a score.

    f(z, q, prior) is the log weight l = log p(x|z) + log prior(z) - log q(z). With the prior as
    z = T(e; params), and L the bound, the gradient in its parameters is

        sum_k [dL/dl_k dlog p(x|z_k)/dz - c_k dl_k/dz] dT/dparams,   c_k = dL/dl_k - d²L/dl_k²,

    at the e_k for which T is z_k: for IWAE sum_k [v_k dlog p(x|z_k)/dz - v_k² dl_k/dz] dT/dparams,
    v the normalized weights. q's own is DReG's, sum_k c_k dl_k/dz dz_k. What f depends on besides,
    the likelihood, keeps the bound's gradient. Unbiased.

    DReG's for the prior is the score, sum_k v_k dlog prior(z_k). Which of the two is less noisy
    depends: with q the posterior and all Gaussian, the variance in the prior's mean is DReG's times
    the square of the likelihood's precision over the prior's. So it pays where x tells less of z
    than the prior does, as in the upper layers of a hierarchy; where it tells more, it is worse.

    Args:
      num_samples: K, draws of z and evaluations of f per call.
      bound: how the K log weights are joined.
    Raises:
      ValueError: as `doubly_reparameterized`; f has no parameter named prior, with the prior as its
        default; the prior is not one that `at_fixed_noise` takes.
    Example:
      >>> prior, q = distrax.Normal(1.0, 1.0), distrax.Normal(0.0, 1.0)
      >>> def log_weight(z, q=q, prior=prior):
      ...     return distrax.Normal(z, 0.5).log_prob(0.8) + prior.log_prob(z) - q.log_prob(z)
      >>> estimator = generalized_doubly_reparameterized(50)
      >>> bound, _ = estimator.apply((), jax.random.key(0), log_weight, q)
    Source: Bauer & Mnih (2021), section 5.
    """
    num_samples = at_least("num_samples", num_samples, 1)
    path_weights = path_weights_of(bound)

    def apply(
        state: Any, key: Key, f: Callable[..., Array], q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        prior = prior_of(f)
        samples = reparameterized_samples(key, q, num_samples)
        log_weight = with_held(f, q, prior)
        z = jax.lax.stop_gradient(samples)
        log_weights, pullback = jax.vjp(lambda z: evaluate(log_weight, z), z)
        slopes = jax.grad(bound)(log_weights)
        (path,) = pullback(path_weights(log_weights))
        (joint,) = pullback(slopes)

        known = jnp.where(jnp.isfinite(log_weights), slopes, 0.0)  # as the pullback has it

        def densities(z: Array) -> Scalar:
            ratios = log_prob(held(prior), z) - log_prob(held(q), z)
            return jnp.sum(jax.lax.stop_gradient(known) * ratios)

        of_likelihood = joint - jax.grad(densities)(z)
        gradients = (path, of_likelihood - path)
        of_prior = jax.vmap(partial(at_fixed_noise, prior))(z)
        surrogate = with_gradient(bound(log_weights), gradients, (samples, of_prior))
        all_finite = finite(q, log_weights, samples) & finite(prior)
        return surrogate, Estimate(jax.lax.stop_gradient(log_weights), all_finite)

    return Estimator(
        name="generalized doubly reparameterized",
        apply=apply,
        unbiased=True,
        accepts="any reparameterizable distribution; f takes (z, q, prior)",
        evaluations=num_samples,
        bound=bound,
    )


def prior_of(f: Callable[..., Array]) -> Distribution:
    """Returns the prior that f uses: the default of its parameter of that name.

    Raises:
      ValueError: it has none.
    Example:
      >>> p = distrax.Normal(0.0, 1.0)
      >>> prior_of(lambda z, q, prior=p: prior.log_prob(z) - q.log_prob(z)) is p
      True
    """
    parameter = inspect.signature(f).parameters.get("prior")
    if parameter is None or parameter.default is parameter.empty:
        raise ValueError(
            "f: got a function without a parameter named prior that has a default, expected one of "
            "(z, q, prior): def f(z, q=q, prior=prior): return log_likelihood(z) + "
            "prior.log_prob(z) - q.log_prob(z); or another gradient: doubly_reparameterized"
        )
    return parameter.default


def with_held(f: Callable[..., Array], q: Distribution, prior: Distribution) -> Integrand:
    """Returns z -> f(z, q, prior) in which the params of neither carry a gradient."""
    of_q, of_prior = held(q), held(prior)
    return lambda z: f(z, q=of_q, prior=of_prior)
