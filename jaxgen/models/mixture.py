"""Mixtures p(x) = sum_k w_k p(x | component k): exact E-step, M-step and bound of any family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.array_checks import of_shape
from jaxgen.checks import at_least
from jaxgen.inference import EMSteps
from jaxgen.numerics import highest_precision
from jaxgen.types import Key, Scalar
from jaxgen.values import Value

Component = Any
"""The parameters of one component, a pytree of arrays."""


class ComponentFamily(Value):
    """What components are, with a closed-form maximum-likelihood fit.

    Attributes:
      log_prob: `(component, x) -> log p(x | component)` of one datapoint, in nats.
      fit: `(xs, weights) -> component`, the maximizer of the weighted sum of log p(x | component);
        the weights of the datapoints sum to one.
      sample: `(key, component) -> x`; EM does without.
    Example:
      >>> def log_prob(rate, x):
      ...     return jnp.log(rate) - rate * x
      >>> exponential = ComponentFamily(log_prob, lambda xs, weights: 1 / (weights @ xs))
      >>> xs = jnp.array([1.0, 2.0, 3.0])
      >>> print(fit_mixture(exponential, jnp.ones((3, 1)), xs).components)  # one over the mean
      [0.5]
    """

    log_prob: Callable[[Component, Array], Array]
    fit: Callable[[Array, Array], Component]
    sample: Callable[[Key, Component], Array] | None = None


class Mixture(NamedTuple):
    """The parameters of a mixture of K components.

    Attributes:
      log_weights: log w_k; exp of it sums to one.
      components: with a leading axis of K on every leaf.
    Example:
      >>> mixture = Mixture(
      ...     jnp.log(jnp.array([0.5, 0.5])), DiagonalGaussian(jnp.eye(2), jnp.eye(2) + 1)
      ... )
      >>> mixture.components.mean[0]  # of the first component
      Array([1., 0.], dtype=float32)
    """

    log_weights: Float[Array, "components"]
    components: Component


@highest_precision
def mixture_log_joint(
    family: ComponentFamily, mixture: Mixture, x: Array
) -> Float[Array, "components"]:
    """Returns log p(x, k) of one datapoint for every component k, in nats.

    Their `logsumexp` is log p(x); their `softmax` is the posterior p(k | x).

    Example:
      >>> mixture = Mixture(
      ...     jnp.log(jnp.array([0.5, 0.5])), DiagonalGaussian(jnp.eye(2), jnp.ones((2, 2)))
      ... )
      >>> log_joint = mixture_log_joint(diagonal_gaussian(), mixture, jnp.array([1.0, 0.0]))
      >>> print(jax.nn.softmax(log_joint))  # p(k|x): of a squared distance of 0 and of 2
      [0.7311 0.2689]
      >>> log_px = jax.nn.logsumexp(log_joint)
    """
    log_probs = jax.vmap(family.log_prob, (0, None))(mixture.components, x)
    return mixture.log_weights + log_probs


@highest_precision
def mixture_elbo(
    family: ComponentFamily, mixture: Mixture, q: Float[Array, "..."], x: Array
) -> Scalar:
    """Returns E_q[log p(x, k)] + H(q) of one datapoint, in nats; log p(x) if q = p(k | x).

    Args:
      q: probabilities of the components.
    Raises:
      ValueError: q is not one probability for each component.
    Example:
      >>> mixture = Mixture(
      ...     jnp.log(jnp.array([0.5, 0.5])), DiagonalGaussian(jnp.eye(2), jnp.eye(2) + 1)
      ... )
      >>> x = jnp.zeros(2)
      >>> q = jax.nn.softmax(mixture_log_joint(diagonal_gaussian(), mixture, x))
      >>> bound = mixture_elbo(diagonal_gaussian(), mixture, q, x)  # log p(x), at the posterior
    """
    log_joint = mixture_log_joint(family, mixture, x)
    of_shape("q", q, log_joint.shape)
    # A component that q rules out has no part in the bound, though its log joint may be -inf.
    log_ratio = jnp.where(q > 0, log_joint - jnp.log(jnp.where(q > 0, q, 1.0)), 0.0)
    return jnp.sum(q * log_ratio)


@highest_precision
def fit_mixture(
    family: ComponentFamily,
    q: Float[Array, "..."],
    xs: Float[Array, "datapoints ..."],
) -> Mixture:
    """Returns the mixture that maximizes the summed bound of `xs` at fixed q: the M-step.

    A component that q gives no datapoint gets weight zero and is fitted to all the data: any
    component is a maximizer then, and this one is finite.

    Args:
      q: [datapoints, components], the posterior of each datapoint (rows sum to one).
    Raises:
      ValueError: q has not a row for each datapoint.
    Example:
      >>> xs = jnp.array([[0.0], [2.0], [10.0]])
      >>> start = fit_mixture(diagonal_gaussian(1e-3), jax.nn.one_hot(jnp.array([0, 0, 1]), 2), xs)
      >>> print(jnp.exp(start.log_weights), start.components.mean.ravel())
      [0.6667 0.3333] [ 1. 10.]
    """
    if q.ndim != 2 or len(q) != len(xs):
        raise ValueError(f"q: got shape {q.shape}, expected ({len(xs)}, components)")
    counts = jnp.sum(q, axis=0)
    uniform = 1.0 / len(xs)
    weights = jnp.where(counts > 0, q / jnp.where(counts > 0, counts, 1.0), uniform)
    components = jax.vmap(family.fit, (None, 1))(xs, weights)
    return Mixture(jnp.log(counts / jnp.sum(counts)), components)


def random_mixture(
    key: Key, family: ComponentFamily, xs: Float[Array, "datapoints ..."], num_components: int
) -> Mixture:
    """Returns a start for EM: equal components with the data's spread, each at another datapoint.

    Args:
      family: whose components have a `mean`, as the Gaussian ones do.
      xs: the data, one datapoint per row.
      num_components: at most as many as there are datapoints.
    Raises:
      ValueError: num_components is below one, or above the number of datapoints.
    Example:
      >>> xs = jnp.array([[0.0], [2.0], [10.0], [12.0]])
      >>> start = random_mixture(jax.random.key(0), diagonal_gaussian(), xs, num_components=2)
      >>> print(start.components.variance.ravel())  # of the data; the means are two of them
      [26. 26.]
    """
    if at_least("num_components", num_components, 1) > len(xs):
        raise ValueError(
            f"num_components: got {num_components}, expected at most {len(xs)}, the datapoints"
        )
    everything = jnp.full((len(xs), num_components), 1 / num_components, xs.dtype)
    mixture = fit_mixture(family, everything, xs)
    means = jax.random.choice(key, xs, (num_components,), replace=False)
    return mixture._replace(components=mixture.components._replace(mean=means))


def mixture_steps(family: ComponentFamily, xs: Float[Array, "datapoints ..."]) -> EMSteps:
    """Returns exact EM for a mixture of this family on the data.

    The E-step's q are the responsibilities p(k | x), an array [datapoints, components].

    Args:
      xs: the data, one datapoint per row.
    Raises:
      ValueError: there are no datapoints.
    Example:
      >>> xs = jnp.array([[0.0], [2.0], [10.0], [12.0]])
      >>> family = diagonal_gaussian(min_variance=1e-3)
      >>> start = fit_mixture(family, jnp.eye(2)[jnp.array([0, 0, 1, 1])], xs)  # by first labels
      >>> result = em(mixture_steps(family, xs), start, 5)
      >>> print(result.params.components.mean.ravel().round(2))
      [ 1. 11.]
    Source: Dempster et al. (1977), section 4.3; Bishop (2006), section 9.2.2.
    """
    if xs.ndim < 1 or not len(xs):
        raise ValueError(f"xs: got shape {xs.shape}, expected at least one datapoint, one per row")

    def e_step(mixture: Mixture) -> Array:
        return jax.vmap(lambda x: jax.nn.softmax(mixture_log_joint(family, mixture, x)))(xs)

    def elbo(mixture: Mixture, q: Array) -> Array:
        return jnp.mean(jax.vmap(lambda q, x: mixture_elbo(family, mixture, q, x))(q, xs))

    return EMSteps(e_step, lambda q: fit_mixture(family, q, xs), elbo)
