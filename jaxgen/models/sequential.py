"""What every model of a sequence with a latent per step consists of, its samples, its particles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxgen.array_checks import arrays
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
    Example:
      >>> model = linear_gaussian(latent_size=2, x_size=3)
      >>> params = model.init(jax.random.key(0))
      >>> state = model.start(params)
      >>> z = model.prior(params, state).sample(seed=jax.random.key(1))
      >>> model.decode(params, state, z).sample(seed=jax.random.key(2)).shape
      (3,)
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
      >>> model = linear_gaussian(latent_size=2, x_size=3)
      >>> params = model.init(jax.random.key(0))
      >>> xs, zs = sample_sequence(jax.random.key(1), model, params, time=5)
      >>> xs.shape
      (5, 3)
    """
    time = at_least("time", time, 1)
    arrays("params", params)

    # Not a scan over split keys: under vmap, jax.debug_key_reuse takes that for reuse.
    def step(state: Any, t: Array) -> tuple[Any, tuple[Array, Array]]:
        return _drawn(model, params, jax.random.fold_in(key, t), state)

    return jax.lax.scan(step, model.start(params), jnp.arange(time))[1]


class Sequences(NamedTuple):
    """Sequences of different length in arrays of one.

    Attributes:
      xs: the observations; zero where there is no step.
      mask: which steps exist.
      zs: the latents behind them, likewise; None where they are not known.
    Example:
      >>> held = Sequences(xs=jnp.zeros((2, 3, 1)), mask=jnp.array([[1, 1, 1], [1, 0, 0]], bool))
      >>> held.mask.sum(axis=1).tolist()  # how long each is
      [3, 1]
    """

    xs: Float[Array, "n time ..."]
    mask: Bool[Array, "n time"]
    zs: Float[Array, "n time ..."] | None = None


def sample_sequences(
    key: Key,
    model: SequentialModel,
    params: Params,
    num_sequences: int,
    shortest: int,
    longest: int,
) -> Sequences:
    """Returns independent sequences, each of a length that is uniform from `shortest` to `longest`.

    Raises:
      ValueError: num_sequences or shortest is below one; longest is below shortest.
    Example:
      >>> model = linear_gaussian(latent_size=2, x_size=3)
      >>> params = model.init(jax.random.key(0))
      >>> xs, mask, zs = sample_sequences(
      ...     jax.random.key(1), model, params, 4, shortest=2, longest=5
      ... )
      >>> xs.shape, mask.shape
      ((4, 5, 3), (4, 5))
    """
    num_sequences = at_least("num_sequences", num_sequences, 1)
    shortest = at_least("shortest", shortest, 1)
    longest = at_least("longest", longest, shortest)

    def one(key: Key) -> Sequences:
        key_sequence, key_length = jax.random.split(key)
        xs, zs = sample_sequence(key_sequence, model, params, longest)
        mask = jnp.arange(longest) < jax.random.randint(key_length, (), shortest, longest + 1)

        def masked(leaf: Array) -> Array:
            return jnp.where(mask.reshape(-1, *(1,) * (leaf.ndim - 1)), leaf, 0)

        return Sequences(masked(xs), mask, masked(zs))

    return jax.vmap(one)(jax.random.split(key, num_sequences))


def importance_step(
    model: SequentialModel, params: Params
) -> Callable[[Key, Any, Any], tuple[Any, Array, Array]]:
    """Returns the step of `jaxgen.inference.smc` for a sequential model; it records z_t.

    The proposal is q(z_t | state, x_t), the weight
    p(z_t | state) p(x_t | state, z_t) / q(z_t | state, x_t).

    Args:
      model: with `model._replace(encode=lambda params, state, x: model.prior(params, state))` it is
        the bootstrap filter.
      params: of the model.
    Example:
      >>> model = linear_gaussian(latent_size=2, x_size=3)
      >>> params, xs = model.init(jax.random.key(0)), jnp.zeros((5, 3))
      >>> result = smc(
      ...     jax.random.key(1), importance_step(model, params), model.start(params), xs, 4
      ... )
    Source: Maddison et al. (2017b), section 3.
    """

    arrays("params", params)

    def step(key: Key, state: Any, x: Any) -> tuple[Any, Array, Array]:
        q = model.encode(params, state, x)
        z = q.sample(seed=key)
        log_joint = model.prior(params, state).log_prob(z)
        log_joint += model.decode(params, state, z).log_prob(x)
        return model.update(params, state, z, x), z, log_joint - q.log_prob(z)

    return step


def unobserved_step(
    model: SequentialModel, params: Params
) -> Callable[[Key, Any], tuple[Any, Array]]:
    """Returns the step of `jaxgen.inference.smc` where x_t was not seen; it records z_t.

    z_t and x_t are drawn from the model, so that the weight is one.

    Args:
      model: of which `importance_step` is the step where x_t was seen.
      params: of the model.
    Example:
      >>> model = linear_gaussian(latent_size=1, x_size=2)
      >>> params, xs = model.init(jax.random.key(0)), jnp.zeros((3, 2))
      >>> result = smc(
      ...     jax.random.key(1),
      ...     importance_step(model, params),
      ...     model.start(params),
      ...     xs,
      ...     4,
      ...     observed=jnp.array([True, False, True]),
      ...     unobserved_step=unobserved_step(model, params),
      ... )
      >>> result.log_increments[1]
      Array(0., dtype=float32)
    """

    arrays("params", params)

    def step(key: Key, state: Any) -> tuple[Any, Array]:
        state, (_, z) = _drawn(model, params, key, state)
        return state, z

    return step


def _drawn(
    model: SequentialModel, params: Params, key: Key, state: Any
) -> tuple[Any, tuple[Array, Array]]:
    """Returns the next state, and x and z of this step, drawn from the model."""
    key_z, key_x = jax.random.split(key)
    z = model.prior(params, state).sample(seed=key_z)
    x = model.decode(params, state, z).sample(seed=key_x)
    return model.update(params, state, z, x), (x, z)
