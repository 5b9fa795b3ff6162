"""Models by the chain rule: a causal net, and what it says of each entry given those before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array

from jaxgen.distributions import Autoregressive
from jaxgen.models.density import Density
from jaxgen.models.likelihoods import Likelihood
from jaxgen.models.networks import AnyNet, network
from jaxgen.types import DistraxDistribution, Key, Params


def autoregressive(net: AnyNet, head: Likelihood, x_shape: tuple[int, ...]) -> Density:
    """Returns p(x | context) = prod_i p(x_i | x before i, context). Its params are the net's.

    In the context () it is a model of x, or a prior of latents; in the context of z, a decoder
    p(x|z) (PixelVAE); in that of a class's one-hot vector, a model of each class.

    Args:
      net: one x, or in a context the pair (x, context), to [*x_shape, head.outputs], where what it
        says of an entry depends on those before it alone, in an order of its own: `MADE`,
        `CausalTransformer` and the like are made so, and the Jacobian of any net tells.
      head: what it says of each entry: `LIKELIHOODS["bernoulli"]`, `categorical(17)`.
      x_shape: shape of one datapoint.
    Raises:
      ValueError: at init, the net's output is not one array of that shape, or it keeps collections
        (batch statistics) beside its params; in use, x has another shape.
    Example:
      >>> density = autoregressive(MADE(()), LIKELIHOODS["bernoulli"], (2, 2, 1))
      >>> params = density.init(jax.random.key(0), ())
      >>> p = density.distribution(params, ())
      >>> nll = -p.log_prob(jnp.zeros((5, 2, 2, 1)))  # nats of each image, to be lowered
    Source: Larochelle & Murray (2011); van den Oord et al. (2016a), "Pixel recurrent neural
    networks", section 2; Gulrajani et al. (2017a), PixelVAE.
    """
    x_shape = tuple(x_shape)
    run = network("net", net, (*x_shape, head.outputs))

    def init(key: Key, context: Any) -> Params:
        return run.init(key, with_context(jnp.zeros(x_shape), context))

    def distribution(params: Params, context: Any, *, key: Key | None = None) -> Autoregressive:
        conditionals = _Conditionals(params, context, key, run.apply, head.distribution)
        return Autoregressive(conditionals, x_shape)

    return Density(init, distribution)


def with_context(x: Array, context: Any) -> Any:
    """Returns what a net is given: x, or in a context the pair (x, context)."""
    return x if isinstance(context, tuple) and context == () else (x, context)


@struct.dataclass
class _Conditionals:
    """x to the independent distributions of its entries: a pytree of all that they depend on."""

    params: Params
    context: Any
    key: Key | None
    apply: Callable[..., Array] = struct.field(pytree_node=False)
    head: Callable[[Array], DistraxDistribution] = struct.field(pytree_node=False)

    def __call__(self, x: Array) -> DistraxDistribution:
        return self.head(self.apply(self.params, with_context(x, self.context), self.key))
