"""Several models of equal weight, such as a net in several orders, as one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxgen.checks import at_least
from jaxgen.distributions import FunctionDistribution
from jaxgen.models.density import Density, conditioned
from jaxgen.numerics import log_mean_exp
from jaxgen.types import DistraxDistribution, Key, Params, Scalar


def uniform_mixture(component: Density, count: int, event_shape: tuple[int, ...]) -> Density:
    """Returns p(x | context) = 1/K sum_k p(x | context, k). Its params are the component's.

    Its log probability is at least the mean of its components', by Jensen: train one component at
    a time, another each step, and judge the mixture. To average not the probabilities of several
    orders but their logits gives sums above one: no likelihood.

    Args:
      component: in the context (context, k), with k from 0 to K - 1.
      count: K.
      event_shape: shape of x.
    Raises:
      ValueError: count is below one; at init, what the component refuses.
    Example:
      >>> net = MADE((8,), orders=random_orders(2))
      >>> of_order = autoregressive(net, LIKELIHOODS["bernoulli"], (4,))
      >>> density = uniform_mixture(of_order, 2, (4,))
      >>> params = density.init(jax.random.key(0), ())
      >>> nll = -density.distribution(params, ()).log_prob(jnp.zeros(4))  # nats, to be lowered
    Source: Germain et al. (2015), section 5.1.
    """
    count = at_least("count", count, 1)

    def of_each(held: Any, ask: Any) -> Array:
        """Returns what `ask` makes of each component. One after another: each is a net's masks."""
        params, context, key = held

        def of_one(k: Array) -> Array:
            return ask(conditioned(component, params, (context, k), key))

        return jax.lax.map(of_one, jnp.arange(count))

    def log_prob(held: Any, x: Array) -> Scalar:
        return log_mean_exp(of_each(held, lambda p: p.log_prob(x)), axis=0)

    def sample(key: Key, held: Any) -> Array:
        key_k, key_x = jax.random.split(key)
        k = jax.random.randint(key_k, (), 0, count)
        # All, so that many draws at once share each component's net; a clone: one is kept.
        return of_each(held, lambda p: p.sample(seed=jax.random.clone(key_x)))[k]

    def init(key: Key, context: Any) -> Params:
        # The last of them, as a known number, so that a net of fewer can refuse it.
        return component.init(key, (context, np.int32(count - 1)))

    def distribution(
        params: Params, context: Any, *, key: Key | None = None
    ) -> DistraxDistribution:
        return FunctionDistribution((params, context, key), event_shape, sample, log_prob)

    return Density(init, distribution)
