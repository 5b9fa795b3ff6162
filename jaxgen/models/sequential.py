"""What every model of a sequence with a latent per step consists of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.types import DistraxDistribution, Key, Params


class SequentialModel(NamedTuple):
    """p(x_1..T, z_1..T) and q, one step at a time, as pure functions over `params`.

    The state is all of the past that the next step depends on, a pytree of arrays: the prior's
    parameters in a state-space model, the recurrent net's vector in a recurrent one.

    Attributes:
      init: `key -> params`.
      start: `params -> state` before the first step.
      prior: `(params, state) -> p(z_t | state)`.
      encode: `(params, state, x) -> q(z_t | state, x_t)`, the amortized proposal.
      decode: `(params, state, z) -> p(x_t | state, z_t)`.
      update: `(params, state, z, x) -> state` of the next step.
    """

    init: Callable[[Key], Params]
    start: Callable[[Params], Any]
    prior: Callable[[Params, Any], DistraxDistribution]
    encode: Callable[[Params, Any, Array], DistraxDistribution]
    decode: Callable[[Params, Any, Array], DistraxDistribution]
    update: Callable[[Params, Any, Array, Array], Any]


def sample_sequence(
    key: Key, model: SequentialModel, params: Params, time: int
) -> tuple[Float[Array, "time ..."], Float[Array, "time ..."]]:
    """Returns one draw of (x_1..T, z_1..T) from the model.

    Raises:
      ValueError: time is below one.
    Example:
      xs, zs = jax.vmap(lambda key: sample_sequence(key, model, params, 50))(keys)
    """
    time = at_least("time", time, 1)

    # Not a scan over split keys: under vmap, jax.debug_key_reuse takes that for reuse.
    def step(state: Any, t: Array) -> tuple[Any, tuple[Array, Array]]:
        key_z, key_x = jax.random.split(jax.random.fold_in(key, t))
        z = model.prior(params, state).sample(seed=key_z)
        x = model.decode(params, state, z).sample(seed=key_x)
        return model.update(params, state, z, x), (x, z)

    return jax.lax.scan(step, model.start(params), jnp.arange(time))[1]
