"""Operations of products are those that XLA counts, and those of closed forms."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from benchmarks.flop import flop

DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def convolution(**options):
    shapes = options.pop("x", (2, 8, 8, 3)), options.pop("kernel", (4, 4, 3, 5))
    options = {"window_strides": (1, 1), "padding": "VALID", **options}

    def run(x, kernel):
        return lax.conv_general_dilated(x, kernel, dimension_numbers=DIMENSIONS, **options)

    return run, *(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes)


CASES = {
    "valid": convolution(),
    "padded and strided": convolution(window_strides=(2, 2), padding=((1, 1), (2, 0))),
    "transposed": convolution(lhs_dilation=(2, 2), padding=((2, 2), (2, 2))),
    "dilated": convolution(rhs_dilation=(2, 1)),
    "in groups": convolution(x=(2, 8, 8, 6), kernel=(3, 3, 2, 6), feature_group_count=3),
}


@pytest.mark.parametrize("case", CASES)
def test_a_convolution_is_what_xla_counts(case):
    function, *shapes = CASES[case]
    counted = jax.jit(function).lower(*shapes).cost_analysis()["flops"]
    assert flop(function, *shapes) == counted > 0


def test_a_gradient_of_a_convolution_is_two_of_them():
    function, *shapes = CASES["valid"]

    def loss(x, kernel):
        return jnp.sum(function(x, kernel) ** 2)

    assert flop(jax.grad(loss, (0, 1)), *shapes) == 3 * flop(function, *shapes)


def test_products_in_loops_and_branches():
    x = jax.ShapeDtypeStruct((4, 4), jnp.float32)
    one = 2 * 4**3
    assert flop(lambda x: x @ x, x) == one
    assert flop(jax.vmap(lambda row: x_of(row)), x) == 2 * 4**2
    assert flop(lambda x: lax.scan(lambda x, _: (x @ x, None), x, length=7)[0], x) == 7 * one
    assert flop(jax.jit(lambda x: jnp.sin(x) + 1), x) == 0

    def by_platform(x):
        return lax.platform_dependent(x, cpu=lambda x: x @ x @ x, default=lambda x: x @ x)

    assert flop(by_platform, x) == one


def x_of(row):
    return jnp.vdot(row, row)
