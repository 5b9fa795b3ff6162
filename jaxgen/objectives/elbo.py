"""The evidence lower bound, log p(x) >= E_q[log p(x|z)] - KL(q || p(z))."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
from jaxtyping import Array

from jaxgen.array_checks import one_distribution
from jaxgen.estimators import Estimator, pathwise
from jaxgen.types import Distribution, Key, Scalar


class ElboTerms(NamedTuple):
    """The two terms of one datapoint's ELBO, in nats; `reconstruction - kl` is the bound.

    Attributes:
      reconstruction: E_q[log p(x|z)], minus the distortion.
      kl: KL(q(z|x) || p(z)), the rate; a Monte Carlo estimate of it may be negative.
    Example:
      >>> terms = ElboTerms(reconstruction=jnp.float32(-90.0), kl=jnp.float32(25.0))
      >>> terms.elbo
      Array(-115., dtype=float32)
    """

    reconstruction: Scalar
    kl: Scalar

    @property
    def elbo(self) -> Scalar:
        """The bound itself."""
        return self.reconstruction - self.kl


KL = Callable[[Key, Distribution, Distribution, Estimator], Scalar]
"""`(key, q, prior, estimator) -> KL(q || prior)`, in nats."""


def analytic_kl(key: Key, q: Distribution, prior: Distribution, estimator: Estimator) -> Scalar:
    """Returns KL(q || prior) in closed form: no noise.

    Args:
      q: a distrax distribution, or anything else with `kl_divergence`.
    Raises:
      NotImplementedError: there is no closed form for this pair; use `monte_carlo_kl`.
    Example:
      >>> q, prior = distrax.Normal(1.0, 1.0), distrax.Normal(0.0, 1.0)
      >>> float(analytic_kl(jax.random.key(0), q, prior, pathwise()))
      0.5
    """
    try:
        return q.kl_divergence(prior)  # type: ignore[attr-defined]
    except (AttributeError, NotImplementedError) as error:
        raise NotImplementedError(
            f"kl: KL({type(q).__name__} || {type(prior).__name__}) has no closed form; pass "
            "kl=monte_carlo_kl"
        ) from error


def monte_carlo_kl(key: Key, q: Distribution, prior: Distribution, estimator: Estimator) -> Scalar:
    """Returns the estimate of E_q[log q(z) - log prior(z)] at the estimator's samples.

    Works for any q and prior with densities. With the reconstruction's key the samples are the
    same, which for a good posterior makes the ELBO less noisy than the analytic KL does.

    Example:
      >>> q, prior = distrax.Normal(1.0, 1.0), distrax.Normal(0.0, 1.0)
      >>> monte_carlo_kl(jax.random.key(0), q, prior, pathwise(10_000))  # exactly: 0.5
      Array(0.5, dtype=float32)
    """

    def log_ratio(z: Array, q: Distribution = q) -> Array:
        return q.log_prob(z) - prior.log_prob(z)

    return estimator.apply((), key, log_ratio, q)[0]


def elbo(
    key: Key,
    log_likelihood: Callable[[Array], Array],
    q: Distribution,
    prior: Distribution,
    *,
    kl: KL = analytic_kl,
    estimator: Estimator | None = None,
) -> ElboTerms:
    """Returns the terms of the ELBO of one datapoint, differentiable in all that they depend on.

    Both terms are estimated without bias, from common samples. Weigh, average and negate outside.

    Args:
      log_likelihood: z to log p(x|z), in nats, for the one x at hand.
      q: the posterior q(z|x).
      prior: p(z).
      kl: `analytic_kl`, `monte_carlo_kl`, or a function of the same form.
      estimator: a stateless estimator of the gradient of E_q[f]; `pathwise()`, one sample, by
        default. With `monte_carlo_kl` and `sticking_the_landing()`, or the score function and
        `leave_one_out()`, there is no noise at the posterior: they hold the q inside log q.
    Raises:
      ValueError: the estimator is of a multi-sample bound, as `vimco` is, whose value is no E_q[f];
        q or the prior is a batch of distributions, not one; q's event shape is not the prior's.
    Example:
      >>> q, prior = distrax.Normal(1.0, 1.0), distrax.Normal(0.0, 1.0)
      >>> log_likelihood = lambda z: distrax.Normal(z, 1.0).log_prob(2.0)  # of x = 2
      >>> terms = elbo(jax.random.key(0), log_likelihood, q, prior)
      >>> float(terms.kl)  # nats
      0.5
      >>> loss = -terms.elbo
    Source: Kingma & Welling (2014), equations 2 (Monte Carlo) and 3 (analytic KL).
    """
    estimator = of_expectation(estimator)
    one_distribution(q)
    one_distribution(prior, name="prior")
    event_shape, expected = (getattr(p, "event_shape", None) for p in (q, prior))
    if None not in (event_shape, expected) and event_shape != expected:
        raise ValueError(
            f"q: got a {type(q).__name__} of event shape {event_shape}, expected the prior's, "
            f"{expected}"
        )

    def reconstruct(z: Array, q: Distribution = q) -> Array:
        return log_likelihood(z)

    # One key for both terms on purpose: common random numbers.
    reconstruction, _ = estimator.apply((), jax.random.clone(key), reconstruct, q)
    return ElboTerms(reconstruction, kl(key, q, prior, estimator))


def of_expectation(estimator: Estimator | None) -> Estimator:
    """Returns the estimator, by default `pathwise()`, if its value estimates E_q[f].

    Raises:
      ValueError: it is one of a multi-sample bound.
    Example:
      >>> of_expectation(vimco(8))  # raises
    """
    if estimator is None:
        return pathwise()
    if not estimator.bound.linear:
        raise ValueError(
            f"estimator: got {estimator.name} of the bound {estimator.bound.name}, expected one of "
            "E_q[f], such as pathwise() or score_function(); a multi-sample bound is what the "
            "estimator's own apply gives for a log weight"
        )
    return estimator
