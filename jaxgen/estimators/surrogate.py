"""An explicit gradient attached to a value, for estimators that compute theirs by hand."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxgen.types import Params, Scalar


def with_gradient(value: Scalar, grad: Params, parameter: Params) -> Scalar:
    """Returns `value` with `grad` added to its gradient in `parameter`.

    value + sum(grad * (parameter - stop(parameter))): a term of value zero. `value` keeps the
    gradients that it already carries. `grad` is taken as a constant, so only first derivatives mean
    anything. A parameter that is not finite gives NaN; the estimator reports it in `all_finite`.

    Args:
      value: the number to return.
      grad: a pytree shaped as `parameter`.
      parameter: what the gradient is taken in: logits, or any pytree of arrays.
    Example:
      jax.grad(lambda p: with_gradient(jnp.sum(p), jnp.array([5.0]), p))(jnp.ones(1))  # [6.]
    """
    terms = jax.tree.map(
        lambda g, p: jnp.vdot(jax.lax.stop_gradient(g), p - jax.lax.stop_gradient(p)),
        grad,
        parameter,
    )
    return value + sum(jax.tree.leaves(terms))
