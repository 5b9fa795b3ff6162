"""Operations of the matrix products and convolutions in a function, counted before any compiler.

A product of [m, k] and [k, n] is 2 m k n. Everything else is left out, as is usual: the share of a
device's peak that a program reaches is that of its products.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn


def flop(function: Callable[..., Any], *arguments: Any) -> int:
    """Returns the operations of one call with arguments of such shapes.

    A scan counts as often as it runs, a `while` once, and of branches the last: of those by
    platform that is every accelerator's.

    Example:
      flop(jnp.matmul, jnp.zeros((3, 4)), jnp.zeros((4, 5)))  # 120
    """
    return _of_jaxpr(jax.make_jaxpr(function)(*arguments).jaxpr)


def _of_jaxpr(jaxpr: Jaxpr) -> int:
    return sum(_of_equation(equation) for equation in jaxpr.eqns)


def _of_equation(equation: JaxprEqn) -> int:
    name, params = equation.primitive.name, equation.params
    if name == "dot_general":
        (contracted, _), _ = params["dimension_numbers"]
        lhs, out = _shape(equation.invars[0]), _shape(equation.outvars[0])
        return 2 * math.prod(out) * math.prod(lhs[axis] for axis in contracted)
    if name == "conv_general_dilated":
        return _of_convolution(equation)
    inner = [_of_jaxpr(each) for value in params.values() for each in _jaxprs(value)]
    if name == "cond":
        return inner[-1]
    return sum(inner) * (params["length"] if name == "scan" else 1)


def _jaxprs(value: Any) -> Iterator[Jaxpr]:
    if isinstance(value, ClosedJaxpr):
        yield value.jaxpr
    elif isinstance(value, Jaxpr):
        yield value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _jaxprs(each)


def _shape(variable: Any) -> tuple[int, ...]:
    return variable.aval.shape


def _of_convolution(equation: JaxprEqn) -> int:
    """Every output sums its taps that fall on an input: neither on padding nor in between."""
    params, numbers = equation.params, equation.params["dimension_numbers"]
    lhs, rhs, out = map(_shape, (*equation.invars[:2], equation.outvars[0]))
    pairs = 1
    for i, (low, _) in enumerate(params["padding"]):
        size = lhs[numbers.lhs_spec[2 + i]]
        outputs = np.arange(out[numbers.out_spec[2 + i]]) * params["window_strides"][i]
        taps = np.arange(rhs[numbers.rhs_spec[2 + i]]) * params["rhs_dilation"][i]
        at, dilation = outputs[:, None] + taps - low, params["lhs_dilation"][i]
        pairs *= int(np.sum((at >= 0) & (at < size * dilation) & (at % dilation == 0)))
    images, features = out[numbers.out_spec[0]], out[numbers.out_spec[1]]
    # The kernel has the input features of one group alone.
    return 2 * images * features * rhs[numbers.rhs_spec[1]] * pairs
