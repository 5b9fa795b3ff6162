"""Sticking the landing: the pathwise gradient of an f that contains log q, without its score."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array

from jaxgen.bounds import ELBO, Bound
from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Integrand
from jaxgen.estimators.evaluation import evaluate, finite, first_derivative_only
from jaxgen.estimators.held import held
from jaxgen.estimators.pathwise import reparameterized_samples
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call


@known_by_call
def sticking_the_landing(num_samples: int = 1, *, bound: Bound = ELBO) -> Estimator:
    """Returns the estimator grad 1/S sum_s f(z_s, stop(q)) with reparameterized z_s.

    Here f takes q too and uses it for log q(z) alone: `def f(z, q): log_joint(z) - q.log_prob(z)`.
    The path through the params of log q at fixed z, the score, has expectation zero and is left
    out: when q is the posterior, the gradient of the ELBO is zero for every sample. Written
    `def f(z, q=q)`, the same function serves every other estimator as it stands.

    With a bound of several samples that is not linear in them (IWAE, Rényi) the score's expectation
    is not zero and leaving it out is biased, as `unbiased` says: `doubly_reparameterized` mends it.

    Args:
      num_samples: S, draws of z and evaluations of f per call.
      bound: how the S values of f are joined.
    Raises:
      ValueError: num_samples is below one; f does not take (z, q); q is not reparameterizable; the
        surrogate is differentiated twice in the parameters of q.
    Example:
      >>> p, q = distrax.Normal(1.0, 1.0), distrax.Normal(0.0, 1.0)
      >>> f = lambda z, q=q: p.log_prob(z) - q.log_prob(z)  # a log weight
      >>> estimator = sticking_the_landing(1000)
      >>> elbo, _ = estimator.apply((), jax.random.key(0), f, q)  # -0.5 nats, to be climbed
      >>> loss = -elbo
    Source: Roeder et al. (2017); the bias: Tucker et al. (2019), section 3.1.
    """
    num_samples = at_least("num_samples", num_samples, 1)

    def apply(
        state: Any, key: Key, f: Callable[..., Array], q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        samples = reparameterized_samples(key, q, num_samples)
        values = evaluate(with_stopped(f, q), samples)
        estimate = Estimate(jax.lax.stop_gradient(values), finite(q, values))
        return first_derivative_only(bound(values), samples), estimate

    return Estimator(
        name="sticking the landing",
        apply=apply,
        unbiased=bound.linear or num_samples == 1,
        accepts="any reparameterizable distribution; f takes (z, q)",
        evaluations=num_samples,
        bound=bound,
    )


def with_stopped(f: Callable[..., Array], q: Distribution) -> Integrand:
    """Returns z -> f(z, q) in which the params of q carry no gradient.

    Raises:
      ValueError: f does not take two arguments.
    """
    try:
        inspect.signature(f).bind(None, q)
    except TypeError:
        raise ValueError(
            "f: got a function that cannot be called as f(z, q), expected one of the sample and of "
            "q, whose params are stopped: def f(z, q=q): return log_joint(z) - q.log_prob(z)"
        ) from None
    stopped = held(q)
    return lambda z: f(z, stopped)
