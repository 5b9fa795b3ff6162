"""Running mean and variance of draws that come in batches, in float32 at least."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from jaxgen.types import Params, Scalar


class Running(NamedTuple):
    """Welford's number of draws, their mean, and the sum of their squared deviations."""

    num_draws: Scalar
    mean: Params
    squares: Params


class RunningBatches(NamedTuple):
    """What is kept of the batches seen so far.

    Attributes:
      draws: of all draws together.
      variances: of the batches' own variances and traces: what their standard errors come from.
    """

    draws: Running
    variances: Running


def no_batches(shapes: Params) -> RunningBatches:
    """Returns the start, before any draw; `shapes` is shaped as one draw."""
    zero = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    none = jnp.zeros(())
    return RunningBatches(Running(none, zero, zero), Running(none, *(2 * ((zero, total(zero)),))))


def add_batch(running: RunningBatches, draws: Params) -> RunningBatches:
    """Returns the running moments with a whole batch of draws, on a leading axis, added."""
    batch = of_draws(draws)
    within = variance(batch)
    seen = (within, total(within))
    one_more = Running(jnp.ones(()), seen, jax.tree.map(jnp.zeros_like, seen))
    return RunningBatches(joined(running.draws, batch), joined(running.variances, one_more))


def of_draws(draws: Params) -> Running:
    """Returns the moments of draws on a leading axis."""
    count = len(jax.tree.leaves(draws)[0])
    mean = jax.tree.map(mean_of_rows, draws)
    squares = jax.tree.map(lambda x, m: count * mean_of_rows((x - m) ** 2), draws, mean)
    return Running(jnp.full((), float(count)), mean, squares)


def joined(a: Running, b: Running) -> Running:
    """Returns the moments of the draws of both.

    Source: Chan et al. (1983).
    """
    count = a.num_draws + b.num_draws
    part = b.num_draws / count

    def mean(x: Array, y: Array) -> Array:
        return x + part.astype(x.dtype) * (y - x)

    def squares(s: Array, t: Array, x: Array, y: Array) -> Array:
        return s + t + (a.num_draws * part).astype(x.dtype) * (y - x) ** 2

    return Running(
        count,
        jax.tree.map(mean, a.mean, b.mean),
        jax.tree.map(squares, a.squares, b.squares, a.mean, b.mean),
    )


def variance(running: Running) -> Params:
    """Returns the unbiased variance of one draw, coordinate by coordinate."""
    return jax.tree.map(lambda s: s / (running.num_draws - 1).astype(s.dtype), running.squares)


def total(tree: Params) -> Scalar:
    """Returns the sum of all numbers of a tree."""
    return jnp.sum(jnp.stack([jnp.sum(x) for x in jax.tree.leaves(tree)]))


def widened(tree: Params) -> Params:
    """Returns the tree in float32 at least: half precision holds no sums of squares."""
    return jax.tree.map(
        lambda x: jnp.asarray(x, jnp.promote_types(jnp.result_type(x), jnp.float32)), tree
    )


def ravel_rows(draws: Params) -> Float[Array, "draws params"]:
    """Returns draws on a leading axis as rows of numbers, in float32 at least."""
    return jax.vmap(lambda tree: ravel_pytree(tree)[0])(widened(draws))


def mean_of_rows(rows: Float[Array, "rows ..."]) -> Array:
    """Returns the mean over the leading axis, as a product.

    XLA's sum over a leading axis takes the CPU up to a hundred times as long.
    """
    ones = jnp.ones(len(rows), rows.dtype)
    return jnp.tensordot(ones, rows, 1, precision=jax.lax.Precision.HIGHEST) / len(rows)
