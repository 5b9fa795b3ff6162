"""Penalties on a critic, most on its slope, one value per datapoint; weigh and average outside.

In float32 at least, whatever the critic computes in. A ValueError says so if the two sides differ
in shape, or the critic's output is no single number. What a side has in integers, such as labels,
is a condition: it stays as it is, and no slope is taken in it.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.array_checks import arrays
from jaxgen.checks import not_negative
from jaxgen.numerics import at_least_float32
from jaxgen.objectives.one_sample import OneCritic
from jaxgen.types import Key, Scalar

Penalty: TypeAlias = Callable[[Key, OneCritic, Any, Any], Scalar]
"""`(key, critic, real, fake) -> penalty`, for one real and one fake of the same shape or shapes: an
array each, or what else the critic compares, as one pytree."""


def gradient_penalty(key: Key, critic: OneCritic, real: Any, fake: Any) -> Scalar:
    """Returns (|slope| - 1)² at a random point between a real and a fake.

    The critic must treat datapoints apart: see `one_sample_critic`. Conditions are the real's.

    Raises:
      ValueError: the critic's output is no single number, or the shapes differ.
    Example:
      >>> critic = lambda x: x @ jnp.array([3.0, 4.0])  # of slope 5 everywhere
      >>> gradient_penalty(jax.random.key(0), critic, jnp.ones(2), jnp.zeros(2))
      Array(16., dtype=float32)
    Source: Gulrajani et al. (2017b), "Improved training of Wasserstein GANs", equation 3.
    """
    _check_pair(real, fake)
    side, others = _moving(real), _moving(fake).leaves
    t = jax.random.uniform(key, dtype=side.leaves[0].dtype)
    between = [t * real + (1 - t) * fake for real, fake in zip(side.leaves, others, strict=True)]
    return (_norm(_slope(critic, side.put(between))) - 1.0) ** 2


def dragan_penalty(
    key: Key, critic: OneCritic, real: Any, fake: Any, *, scale: float = 1.0
) -> Scalar:
    """Returns (|slope| - 1)² at the real, moved by a normal step of standard deviation `scale`.

    Example:
      >>> critic = lambda x: x @ jnp.array([3.0, 4.0])  # of slope 5 everywhere
      >>> dragan_penalty(jax.random.key(0), critic, jnp.ones(2), jnp.zeros(2), scale=0.5)
      Array(16., dtype=float32)
    Source: Kodali et al. (2017), "On convergence and stability of GANs", equation 4.
    """
    _check_pair(real, fake)
    not_negative("scale", scale)
    side = _moving(real)
    keys = [key] if len(side.leaves) == 1 else jax.random.split(key, len(side.leaves))
    moved = [
        leaf + scale * jax.random.normal(key, leaf.shape, leaf.dtype)
        for leaf, key in zip(side.leaves, keys, strict=True)
    ]
    return (_norm(_slope(critic, side.put(moved))) - 1.0) ** 2


def r1_penalty(key: Key, critic: OneCritic, real: Any, fake: Any) -> Scalar:
    """Returns |slope|² at the real; half of it, times gamma, is the paper's R1.

    Example:
      >>> critic = lambda x: x @ jnp.array([3.0, 4.0])  # of slope 5 everywhere
      >>> r1_penalty(jax.random.key(0), critic, jnp.ones(2), jnp.zeros(2))
      Array(25., dtype=float32)
    Source: Mescheder et al. (2018), "Which training methods for GANs do actually converge?",
      equation 9.
    """
    _check_pair(real, fake)
    return _squared(_slope(critic, real))


def r2_penalty(key: Key, critic: OneCritic, real: Any, fake: Any) -> Scalar:
    """Returns |slope|² at the fake, through which no gradient flows to the generator in its turn.

    Example:
      >>> critic = lambda x: x @ x / 2  # of slope x
      >>> r2_penalty(jax.random.key(0), critic, jnp.zeros(2), jnp.array([3.0, 4.0]))
      Array(25., dtype=float32)
    Source: Mescheder et al. (2018), "Which training methods for GANs do actually converge?",
      equation 10.
    """
    _check_pair(real, fake)
    return _squared(_slope(critic, fake))


def output_penalty(key: Key, critic: OneCritic, real: Any, fake: Any) -> Scalar:
    """Returns the critic's squared output on the real plus that on the fake.

    It holds a critic back that would otherwise saturate and have no slope left for the generator to
    learn from, or whose outputs drift.

    Example:
      >>> critic = lambda x: x @ jnp.array([3.0, 4.0])
      >>> output_penalty(jax.random.key(0), critic, jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0]))
      Array(25., dtype=float32)
    Source: Karras et al. (2018), "Progressive growing of GANs for improved quality, stability, and
      variation", appendix A.1, for the reals' part.
    """
    _check_pair(real, fake)
    outputs = [at_least_float32("critic", _number(critic(side))) for side in (real, fake)]
    return outputs[0] ** 2 + outputs[1] ** 2


PENALTIES: Mapping[str, Penalty] = MappingProxyType(
    {
        "gradient": gradient_penalty,
        "dragan": dragan_penalty,
        "r1": r1_penalty,
        "r2": r2_penalty,
    }
)
"""The penalties by name."""


def _check_pair(real: Any, fake: Any) -> None:
    arrays("real", real)
    arrays("fake", fake)
    shapes = [jax.tree.map(jnp.shape, side) for side in (real, fake)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"fake: got shape {shapes[1]}, expected that of real, {shapes[0]}")


def _number(output: Array) -> Array:
    if jnp.shape(output) != ():
        raise ValueError(
            f"critic: got an output of shape {jnp.shape(output)} for one datapoint, expected one "
            "number (shape ())"
        )
    return output


class _Moving(NamedTuple):
    """What of a side is in floating point, and the way back to the whole side."""

    leaves: list[Array]
    put: Callable[[list[Array]], Any]


def _moving(side: Any) -> _Moving:
    leaves, structure = jax.tree.flatten(side)
    moves = [jnp.issubdtype(jnp.result_type(leaf), jnp.floating) for leaf in leaves]
    if not any(moves):
        dtypes = [str(jnp.result_type(leaf)) for leaf in leaves]
        raise ValueError(f"side: got arrays of {', '.join(dtypes)}, expected floats, too")

    def put(moved: list[Array]) -> Any:
        others = iter(moved)
        of_side = [next(others) if m else leaf for m, leaf in zip(moves, leaves, strict=True)]
        return jax.tree.unflatten(structure, of_side)

    return _Moving([leaf for m, leaf in zip(moves, leaves, strict=True) if m], put)


def _slope(critic: OneCritic, x: Any) -> list[Array]:
    """The gradient in every array of x that is in floating point."""
    side = _moving(x)

    def output(leaves: list[Array]) -> Array:
        return _number(critic(side.put(leaves)))

    slopes = jax.grad(output)(side.leaves)
    return [at_least_float32("slope", slope) for slope in slopes]  # squares overflow float16


def _squared(slope: list[Array]) -> Array:
    return functools.reduce(operator.add, (jnp.sum(part**2) for part in slope))


def _norm(slope: list[Array]) -> Array:
    """The Euclidean norm, with a gradient of zero, not NaN, at zero."""
    squared = _squared(slope)
    flat = squared == 0
    return jnp.where(flat, 0.0, jnp.sqrt(jnp.where(flat, 1.0, squared)))
