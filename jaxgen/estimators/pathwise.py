"""The reparameterization trick: differentiate through the sample."""

from __future__ import annotations

from typing import Any

import jax

from jaxgen.bounds import ELBO, Bound
from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Objective, evaluate, finite
from jaxgen.estimators.reparameterization import reparameterized_samples
from jaxgen.types import Distribution, Key, Scalar


def pathwise(num_samples: int = 1, *, bound: Bound = ELBO) -> Estimator:
    """Returns the estimator grad 1/S sum_s f(z_s), z_s = g(noise_s; params of q).

    Unbiased where f is differentiable and z is a differentiable transformation of noise that does
    not depend on the params (Gaussian, logistic, their flows, implicitly reparameterized gamma).
    Usually the lowest variance of all for smooth f; useless where f is a step. Derivatives of any
    order are right. With another bound than the mean of f, the estimator of grad E[bound].

    Args:
      num_samples: S, draws of z and evaluations of f per call.
      bound: how the S values of f are joined.
    Raises:
      ValueError: num_samples is below one; the samples of q carry no gradient in one of its
        parameters (a discrete q, the weights of a mixture).
    Example:
      value, _ = pathwise(64).apply((), key, lambda z: jnp.sum(z**2), distrax.Normal(mean, 1.0))
    Source: Kingma & Welling (2014), section 2.4; Mohamed et al. (2020), section 5.
    """
    num_samples = at_least("num_samples", num_samples, 1)

    def apply(
        state: Any, key: Key, f: Objective, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        samples = reparameterized_samples(key, q, num_samples)
        values = evaluate(f, samples)
        estimate = Estimate(jax.lax.stop_gradient(values), finite(q, values))
        return bound(values), estimate

    return Estimator(
        name="pathwise",
        init=lambda key, q, context=None: (),
        apply=apply,
        update=lambda state, estimates: state,
        unbiased=True,
        accepts="any reparameterizable distribution",
        evaluations=num_samples,
        bound=bound,
    )
