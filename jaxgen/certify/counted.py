"""Evaluations of f in one call of an estimator, counted while it runs."""

from __future__ import annotations

import functools
from typing import Any

import jax
from jaxtyping import Array

from jaxgen.certify.problem import Problem
from jaxgen.estimators import Estimator
from jaxgen.types import Key


def counted_evaluations(problem: Problem, estimator: Estimator) -> int:
    """Returns how often f sees a sample in one call of the estimator, for one datapoint.

    Every sample counts, hard or relaxed, also of a loop or a map; gradients of f are not counted
    apart. What the estimator says of itself is `count_evaluations`.

    Example:
      >>> counted_evaluations(toy(0.45), disarm(4))
      4
    """
    key_batch, key_init, key_apply = jax.random.split(jax.random.key(0), 3)
    x = problem.batch(key_batch)[0]
    f, q = problem.target(problem.params, x)
    seen: list[None] = []

    @functools.wraps(f)  # keeps its parameter q, if it has one
    def counted(z: Any, *arguments: Any, **named: Any) -> Array:
        jax.debug.callback(lambda _: seen.append(None), jax.tree.leaves(z)[0])
        return f(z, *arguments, **named)

    @jax.jit
    def values(state: Any, key: Key) -> Array:
        return estimator.apply(state, key, counted, q, x)[1].values

    jax.block_until_ready(values(estimator.init(key_init, q, x), key_apply))
    jax.effects_barrier()
    return len(seen)
