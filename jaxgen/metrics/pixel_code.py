"""Autoregressive models of pixels as the tables of a coder: by whole passes, or pixel by pixel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgen.checks import at_least
from jaxgen.metrics.autoregressive_code import AutoregressiveCode, Given


def pixel_code(
    conditionals: Callable[[Array], Any],
    *,
    x_shape: tuple[int, ...],
    levels: int,
    batch_size: int,
    order: tuple[int, ...] | None = None,
) -> AutoregressiveCode:
    """Returns the code of images whose pixels are levels 0, 1, ..., as x in [0, 1] spaced evenly.

    A batch is written in one pass of the model, and read in as many as an image has pixels.

    Args:
      conditionals: x to p(x_i | x before i) of every pixel, an `Independent`; what an
        autoregressive density calls by that name.
      x_shape: of one image.
      levels: values that a pixel takes: 2 for bits, 256 for bytes.
      batch_size: images in a pass; part of the code, since another may round differently.
      order: of the pixels, if the model has another than row by row.
    Raises:
      ValueError: a count is too small.
    Example:
      >>> def conditionals(x):  # of every pixel given those before it: here a fair coin each
      ...     return distrax.Independent(distrax.Bernoulli(jnp.zeros(x.shape)), x.ndim)
      >>> code = pixel_code(conditionals, x_shape=(8, 8, 1), levels=2, batch_size=10)
      >>> symbols = np.random.default_rng(0).integers(2, size=(100, 64))
      >>> file = autoregressive_encode(code, symbols)
      >>> 800 <= len(file) <= 815  # 6,400 bits, and at most 15 bytes more
      True
    Source: Theis et al. (2016), "A note on the evaluation of generative models", section 3.1, for
      likelihood as the length of a code.
    """
    values = _values(levels)

    def one(symbols: Int[Array, "dims"]) -> Float[Array, "dims levels"]:
        pixels = conditionals(values[symbols].reshape(x_shape)).distribution
        log_probs = jax.vmap(lambda value: pixels.log_prob(jnp.full(x_shape, value)))(values)
        return jnp.exp(log_probs).reshape(levels, -1).T

    passed = jax.jit(jax.vmap(one))
    column = jax.jit(lambda tables, place: tables[:, place])

    def tables(symbols: Any) -> Given:
        whole = passed(symbols)
        return lambda place: column(whole, place)

    return _code(tables, x_shape, levels, batch_size, order)


def one_pixel_code(
    at: Callable[[Array, Array], Any],
    *,
    x_shape: tuple[int, ...],
    levels: int,
    batch_size: int,
    order: tuple[int, ...] | None = None,
) -> AutoregressiveCode:
    """Returns the code of a model that can be asked about one pixel alone, as `pixel_code` does.

    A pixel is written and read by one small program. Where a model computes one pixel at the cost
    of one, an image is read at the cost of a pass.

    Args:
      at: (x, place) to p(x_place | x before it), over one number; places are counted row by row.
      x_shape, levels, batch_size, order: as in `pixel_code`.
    Raises:
      ValueError: a count is too small.
    Example:
      >>> def at(x, place):  # of one pixel given those before it: here a fair coin
      ...     return distrax.Bernoulli(0.0)
      >>> code = one_pixel_code(at, x_shape=(8, 8, 1), levels=2, batch_size=10)
      >>> file = autoregressive_encode(code, np.zeros((10, 64), int))
      >>> autoregressive_decode(code, file).shape
      (10, 64)
    """
    values = _values(levels)

    @jax.jit
    def told(symbols: Int[Array, "images dims"], place: Array) -> Float[Array, "images levels"]:
        def one(x: Array) -> Float[Array, "levels"]:
            return jnp.exp(jax.vmap(at(x.reshape(x_shape), place).log_prob)(values))

        return jax.vmap(one)(values[symbols])

    return _code(
        lambda symbols: lambda place: told(symbols, place), x_shape, levels, batch_size, order
    )


def _values(levels: int) -> Float[Array, "levels"]:
    return jnp.arange(at_least("levels", levels, 2)) / (levels - 1)


def _code(
    tables: Callable[[Any], Given],
    x_shape: tuple[int, ...],
    levels: int,
    batch_size: int,
    order: tuple[int, ...] | None,
) -> AutoregressiveCode:
    dims = 1
    for size in x_shape:
        dims *= at_least("x_shape", size, 1)
    return AutoregressiveCode(tables, dims, levels, at_least("batch_size", batch_size, 1), order)
