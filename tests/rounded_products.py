"""Products as an accelerator makes them by default: float32 operands rounded to bf16 or tf32.

On a CPU every product is of float32, so no test there sees that a reported number lacks `highest`.
As a plugin, `PRODUCTS=bf16 pytest -p rounded_products` (or tf32), this rounds the operands of each
matrix product and convolution that asks for no precision, and of those in its gradient. It is
harsher than a TPU, which takes products of vectors in float32.

A test of what float32 says of a net, such as one that compares two ways to the same number, is
marked `exact_products`: in it the products of nets are left as they are. No number that is reported
needs the mark.
"""

import contextlib
import os

import jax
import pytest
from jax.extend.core.primitives import conv_general_dilated_p, dot_general_p

BITS = {"bf16": (8, 7), "tf32": (8, 10)}
"""Of exponent and mantissa."""
ROUNDED = (jax.lax.Precision.HIGH,) * 2
"""Marks a product that is to be rounded, so that the products in its gradient are; on a CPU it is
the same as any other precision."""


def install(kind):
    """Rounds the operands of all products that are traced from now on."""
    for primitive in (dot_general_p, conv_general_dilated_p):
        primitive.bind = _rounding(primitive.bind, *BITS[kind])
    jax.clear_caches()


def _rounding(bind, exponent, mantissa):
    def rounded(x, y, **params):
        exact = params["precision"] not in (None, (jax.lax.Precision.DEFAULT,) * 2, ROUNDED)
        if not exact and x.dtype == y.dtype == jax.numpy.float32:
            x, y = (jax.lax.reduce_precision(each, exponent, mantissa) for each in (x, y))
            params["precision"] = ROUNDED
        return bind(x, y, **params)

    return rounded


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    marked = item.get_closest_marker("exact_products")
    with jax.default_matmul_precision("highest") if marked else contextlib.nullcontext():
        return (yield)


if "PRODUCTS" in os.environ:
    install(os.environ["PRODUCTS"])
