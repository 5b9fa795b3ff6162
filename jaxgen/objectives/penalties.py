"""Penalties on the slope of a critic, one value per datapoint; weigh and average outside.

In float32 at least, whatever the critic computes in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.numerics import at_least_float32
from jaxgen.types import Key, Scalar

OneCritic: TypeAlias = Callable[[Array], Array]
"""One datapoint to one raw output, of shape ()."""

Penalty: TypeAlias = Callable[[Key, OneCritic, Array, Array], Scalar]
"""`(key, critic, real, fake) -> penalty`, for one real and one fake of the same shape."""


def gradient_penalty(key: Key, critic: OneCritic, real: Array, fake: Array) -> Scalar:
    """Returns (|slope| - 1)² at a random point between a real and a fake.

    The critic must treat datapoints apart: no batch normalization.

    Raises:
      ValueError: the critic's output is no single number, or the shapes differ.
    Example:
      penalty = lambda key, real, fake: gradient_penalty(key, critic, real, fake)
      loss += 10.0 * jax.vmap(penalty)(keys, reals, fakes).mean()
    Source: Gulrajani et al. (2017), equation 3.
    """
    if real.shape != fake.shape:
        raise ValueError(f"fake: got shape {fake.shape}, expected that of real, {real.shape}")
    t = jax.random.uniform(key, dtype=real.dtype)
    return (_norm(_slope(critic, t * real + (1 - t) * fake)) - 1.0) ** 2


def dragan_penalty(
    key: Key, critic: OneCritic, real: Array, fake: Array, *, scale: float = 1.0
) -> Scalar:
    """Returns (|slope| - 1)² at the real, moved by a normal step of standard deviation `scale`.

    Source: Kodali et al. (2017), equation 4.
    """
    noise = scale * jax.random.normal(key, real.shape, real.dtype)
    return (_norm(_slope(critic, real + noise)) - 1.0) ** 2


def r1_penalty(key: Key, critic: OneCritic, real: Array, fake: Array) -> Scalar:
    """Returns |slope|² at the real; half of it, times gamma, is the paper's R1.

    Source: Mescheder et al. (2018), equation 9.
    """
    return jnp.sum(_slope(critic, real) ** 2)


def r2_penalty(key: Key, critic: OneCritic, real: Array, fake: Array) -> Scalar:
    """Returns |slope|² at the fake, through which no gradient flows to the generator in its turn.

    Source: Mescheder et al. (2018), equation 10.
    """
    return jnp.sum(_slope(critic, fake) ** 2)


PENALTIES: Mapping[str, Penalty] = MappingProxyType(
    {
        "gradient": gradient_penalty,
        "dragan": dragan_penalty,
        "r1": r1_penalty,
        "r2": r2_penalty,
    }
)
"""The penalties by name."""


def _slope(critic: OneCritic, x: Array) -> Array:
    def output(x: Array) -> Array:
        value = critic(x)
        if jnp.shape(value) != ():
            raise ValueError(
                f"critic: got an output of shape {jnp.shape(value)} for one datapoint, expected "
                "one number (shape ())"
            )
        return value

    return at_least_float32("slope", jax.grad(output)(x))  # squares overflow float16


def _norm(slope: Array) -> Array:
    """The Euclidean norm, with a gradient of zero, not NaN, at zero."""
    squared = jnp.sum(slope**2)
    flat = squared == 0
    return jnp.where(flat, 0.0, jnp.sqrt(jnp.where(flat, 1.0, squared)))
