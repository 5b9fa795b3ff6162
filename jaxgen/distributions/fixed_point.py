"""The inverse of a triangular map by fixed point: all entries at once, until none changes."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun
from jaxtyping import Array, Float, Int

from jaxgen.checks import at_least


def triangular_fixed_point(
    f: Callable[[Array], Array], x0: Float[Array, "*shape"], limit: int
) -> tuple[Float[Array, "*shape"], Int[Array, ""]]:
    """Returns the x with f(x) = x, and how many times f was asked, the last time in confirmation.

    For an f whose output i depends on inputs before i alone, in any one order: each pass settles at
    least the first entry that is not yet settled, so as many passes as entries always do, and few
    do where distant entries hardly matter. x is then, to the bit, what finding one entry after
    another gives. It is differentiable in all that f closes over, forward and backward, by the same
    iteration: the slopes of f form a triangle, too.

    Args:
      f: from an array to one of its shape and type.
      x0: where to start; it changes the number of passes alone.
      limit: passes at most: the number of entries is always enough.
    Raises:
      ValueError: limit is below one, or f(x0) has another shape.
    Example:
      >>> def f(x):  # the first entry is 2, each later one half of the one before
      ...     return 0.5 * jnp.roll(x, 1).at[0].set(4.0)
      >>> x, passes = triangular_fixed_point(f, jnp.zeros(3), 4)
      >>> print(x, passes)
      [2.  1.  0.5] 4
    Source: Song et al. (2021), "Accelerating feedforward computation via parallel nonlinear
    equation solving", algorithm 1.
    """
    limit = at_least("limit", limit, 1)

    def repeated(g: Callable[[Array], Array], x: Array, limit: int = limit) -> tuple[Array, Array]:
        def unsettled(state: tuple[Array, Array, Array]) -> Array:
            _, changed, passes = state
            return changed & (passes < limit)

        def once(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            x, _, passes = state
            new = g(x)
            return new, ~jnp.array_equal(new, x, equal_nan=True), passes + 1

        # Counted in floats, since a derivative passes by.
        x, _, passes = jax.lax.while_loop(unsettled, once, (x, jnp.array(True), jnp.zeros(())))
        return x, passes

    def solve_linear(less_identity: Callable[[Array], Array], b: Array) -> Array:
        # (J - I) t = b of a triangular J with zeros along its diagonal, or its transpose. Two more
        # passes, since (J t - t) + t is J t to the bit only once t is near it.
        return repeated(lambda t: less_identity(t) + t - b, jnp.zeros_like(b), limit + 2)[0]

    def solve_tangent(less_identity: Callable[[Array], Array], b: Array) -> Array:
        return jax.lax.custom_linear_solve(
            less_identity, b, solve_linear, transpose_solve=solve_linear
        )

    f = _without_keys(f, x0)
    x, passes = jax.lax.custom_root(
        lambda x: f(x) - x, x0, lambda _, x: repeated(f, x), solve_tangent, has_aux=True
    )
    return x, passes.astype(jnp.int32)


def _without_keys(f: Callable[[Array], Array], x: Array) -> Callable[[Array], Array]:
    """Returns f, traced, closing over the data of its keys: to what gives f a derivative of its
    own, a key that is passed is a key that is used up."""
    traced = jax.make_jaxpr(f)(x)
    if [jnp.shape(out) for out in traced.out_avals] != [x.shape]:
        found = [out.shape for out in traced.out_avals]
        raise ValueError(f"f: got a value of shape {found} of x0, expected {[x.shape]}")
    data = [
        (jax.random.key_data(c), jax.random.key_impl(c))
        if jnp.issubdtype(c.dtype, jax.dtypes.prng_key)
        else (c, None)
        for c in map(jnp.asarray, traced.consts)
    ]

    def same(x: Array) -> Array:
        consts = [c if kind is None else jax.random.wrap_key_data(c, impl=kind) for c, kind in data]
        return jaxpr_as_fun(ClosedJaxpr(traced.jaxpr, consts))(x)[0]

    return same
