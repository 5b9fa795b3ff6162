"""The gradient that estimators are compared with: exact, or estimated from independent draws."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from jaxgen.certify.problem import Problem, split_parts
from jaxgen.certify.running import mean_of_rows, ravel_rows, widened
from jaxgen.types import Key, Params


class Reference(NamedTuple):
    """A unit vector, how far the true gradient reaches along it, and all of it where known."""

    direction: Float[Array, "params"]
    length: float
    stderr: float
    gradient: Float[Array, "params"] | None = None


def exact_references(problem: Problem, gradient: Params) -> dict[str, Reference]:
    """Returns the direction and the length of each part of an exact gradient."""
    parts = split_parts(problem, widened(gradient))
    flat = {name: ravel_pytree(part)[0] for name, part in parts.items()}
    units = {name: _unit(vector) for name, vector in flat.items()}
    return {name: Reference(u, _along(flat[name], u), 0.0, flat[name]) for name, u in units.items()}


def sampled_references(
    draw: Callable[[Key], dict[str, Params]], key: Key, num_groups: int
) -> dict[str, Reference]:
    """Returns the direction of the mean gradient and, from other draws, its length along it.

    Args:
      draw: `key -> one group of gradients`, on a leading axis, by part.
      num_groups: groups for the direction, and as many for the length.
    """

    def group_means(key: Key) -> Iterator[dict[str, Array]]:
        for k in jax.random.split(key, num_groups):
            yield _means(draw(k))

    key_direction, key_length = jax.random.split(key)
    total = functools.reduce(lambda a, b: jax.tree.map(jnp.add, a, b), group_means(key_direction))
    units = {name: _unit(vector) for name, vector in total.items()}
    lengths = [{name: _along(m[name], units[name]) for name in m} for m in group_means(key_length)]
    references = {}
    for name, unit in units.items():
        along = [length[name] for length in lengths]
        stderr = statistics.stdev(along) / math.sqrt(num_groups)
        references[name] = Reference(unit, statistics.fmean(along), stderr)
    return references


@jax.jit
def _means(draws: dict[str, Params]) -> dict[str, Array]:
    return {part: mean_of_rows(ravel_rows(tree)) for part, tree in draws.items()}


def _along(vector: Float[Array, "params"], unit: Float[Array, "params"]) -> float:
    return float(jnp.dot(vector, unit, precision=jax.lax.Precision.HIGHEST))


def _unit(vector: Float[Array, "params"]) -> Float[Array, "params"]:
    """The unit vector along `vector`; of a single number, which keeps its sign, 1."""
    norm = jnp.linalg.norm(vector)
    even = jnp.full_like(vector, 1 / math.sqrt(vector.size))
    return even if vector.size == 1 else jnp.where(norm > 0, vector / norm, even)
