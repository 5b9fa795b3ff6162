"""A critic of batches as a critic of one sample, which penalties on its slope are written for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxgen.types import Variables

OneCritic: TypeAlias = Callable[[Any], Array]
"""One datapoint to one raw output, of shape ()."""


def one_sample_critic(
    criticize: Callable[..., tuple[Array, Variables]], variables: Variables, *, packing: int = 1
) -> OneCritic:
    """Returns `sample -> output`, the critic outside training mode, of a batch of one.

    A critic that packs judges a pack at once: its one sample is a pack, [packing, ...].

    Args:
      criticize: `(variables, batch, train=...) -> (one output per sample or pack, changed)`.
      variables: the critic's.
      packing: samples that the critic judges together.
    Raises:
      ValueError: when it is called, if the output of one sample depends on the others of its batch
        (a minibatch standard deviation, say): the slope of one sample is not that in the batch.
    Example:
      >>> def criticize(variables, xs, *, train):
      ...     return xs @ variables["params"], {}
      >>> critic = one_sample_critic(criticize, {"params": jnp.array([3.0, 4.0])})
      >>> jax.grad(critic)(jnp.zeros(2))
      Array([3., 4.], dtype=float32)
    """

    def one(x: Any) -> Array:
        batch = jax.tree.map(lambda array: array[None], x) if packing == 1 else x
        outputs, _ = criticize(variables, batch, train=False)
        if outputs.shape != (1,):
            raise ValueError(f"critic: got shape {outputs.shape} for one sample, expected (1,)")
        if _looks_at_the_batch(criticize, _shapes(variables), _shapes(batch)):
            raise ValueError(
                "critic: got one whose output of a sample depends on the rest of its batch, "
                "expected one that judges samples apart (no minibatch_stddev); take the slope over "
                "the batch: jax.grad(lambda xs: criticize(variables, xs, train=False)[0].sum())"
            )
        return outputs[0]

    return one


_Shapes: TypeAlias = tuple[Any, tuple[tuple[tuple[int, ...], Any], ...]]


def _shapes(tree: Any) -> _Shapes:
    leaves, structure = jax.tree.flatten(tree)
    return structure, tuple((jnp.shape(leaf), jnp.result_type(leaf)) for leaf in leaves)


@functools.lru_cache(maxsize=64)
def _looks_at_the_batch(criticize: Callable[..., Any], variables: _Shapes, batch: _Shapes) -> bool:
    """Tells, by a NaN in a second sample, whether it reaches the output of the first."""
    params, sample, spoiled = _filled(variables, 0.01), _filled(batch, 0.5), _filled(batch, np.nan)

    @jax.jit
    def first(second: Any) -> Array:
        pair = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), sample, second)
        return jnp.isfinite(criticize(params, pair, train=False)[0][0])

    # Of numbers of its own, so that it runs at once even while the loss is being traced.
    with jax.ensure_compile_time_eval(), jax.debug_nans(False):
        return bool(first(sample)) and not bool(first(spoiled))


def _filled(shapes: _Shapes, value: float) -> Any:
    structure, leaves = shapes
    return jax.tree.unflatten(
        structure,
        [np.full(s, value if jnp.issubdtype(d, jnp.floating) else 0, d) for s, d in leaves],
    )
