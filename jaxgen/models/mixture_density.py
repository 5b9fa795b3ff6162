"""A mixture as a density: fitted by EM, or climbed by its gradient as any other."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.checks import at_least
from jaxgen.distributions import FunctionDistribution
from jaxgen.models.density import Density
from jaxgen.models.mixture import ComponentFamily, Mixture, fit_mixture, mixture_log_joint
from jaxgen.types import Key, Scalar


def mixture_density(family: ComponentFamily, size: int, num_components: int) -> Density:
    """Returns p(x) = sum_k w_k p(x | component k) over one vector, in any context.

    Its params are a `Mixture`, those that `em(mixture_steps(family, xs), ...)` finds. They start
    with equal weights and components of mean drawn from N(0, I) and covariance I.

    Args:
      family: with a `sample`, such as `full_gaussian()`.
      size: length of x.
      num_components: K.
    Raises:
      ValueError: a count is below one; the family has no `sample`.
    Example:
      >>> density = mixture_density(diagonal_gaussian(1e-3), size=2, num_components=3)
      >>> params = density.init(jax.random.key(0), ())  # or those of `em(mixture_steps(...), ...)`
      >>> density.distribution(params, ()).event_shape
      (2,)
    Source: Bishop (2006), section 9.2.
    """
    size = at_least("size", size, 1)
    num_components = at_least("num_components", num_components, 1)
    draw = family.sample
    if draw is None:
        raise ValueError("family: got one without sample, expected one whose components draw")

    def init(key: Key, context: Any) -> Mixture:
        means = jax.random.normal(key, (num_components, size))
        # 2d points around each mean whose covariance is I exactly.
        corners = jnp.sqrt(float(size)) * jnp.concatenate([jnp.eye(size), -jnp.eye(size)])
        xs = (means[:, None] + corners).reshape(-1, size)
        labels = jnp.repeat(jnp.arange(num_components), 2 * size)
        return fit_mixture(family, jax.nn.one_hot(labels, num_components), xs)

    def sample(key: Key, mixture: Mixture) -> Array:
        key_component, key_x = jax.random.split(key)
        k = jax.random.categorical(key_component, mixture.log_weights)
        return draw(key_x, jax.tree.map(lambda leaf: leaf[k], mixture.components))

    def log_prob(mixture: Mixture, x: Array) -> Scalar:
        return jax.nn.logsumexp(mixture_log_joint(family, mixture, x))

    def distribution(params: Mixture, context: Any) -> FunctionDistribution:
        return FunctionDistribution(params, (size,), sample, log_prob)

    return Density(init, distribution)
