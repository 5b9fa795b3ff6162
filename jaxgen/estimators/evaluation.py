"""What estimators are made of: f and log q at the samples, and a gradient attached to a value."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import distrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxgen.array_checks import one_distribution
from jaxgen.estimators.base import Integrand
from jaxgen.estimators.discrete import innermost
from jaxgen.numerics import all_finite
from jaxgen.types import Distribution, Params, Scalar


def evaluate(f: Integrand, samples: Array) -> Float[Array, "samples"]:
    """Returns f at each of `samples` (leading axis), in float32 at least, differentiable in both.

    Raises:
      ValueError: f does not return one number per sample.
    Example:
      >>> evaluate(lambda z: jnp.sum(z**2), jnp.ones((8, 3)))  # shape [8]
    """
    if len(samples) == 1:
        return one_value(f(samples[0]))
    return _one_number_each(jax.vmap(f)(samples))


def one_value(value: Any) -> Float[Array, "1"]:
    """Returns `evaluate(f, samples)` of f's value at the only sample.

    No vmap: an axis of length one would cost XLA a transpose of every cotangent.

    Raises:
      ValueError: it is not one number.
    Example:
      >>> one_value(jnp.square(3.0))
      Array([9.], dtype=float32)
    """
    return _one_number_each(jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], value))


def _one_number_each(values: Any) -> Float[Array, "samples"]:
    shape = getattr(values, "shape", None)
    if shape is None or len(shape) != 1:
        came = "no array" if shape is None else f"shape {shape[1:]}"
        raise ValueError(f"f: got {came} for one sample, expected one number (shape ())")
    return values.astype(jnp.promote_types(jnp.result_type(values, float), jnp.float32))


def with_slopes(f: Integrand, samples: Array) -> tuple[Float[Array, "samples"], Array]:
    """Returns `evaluate(f, samples)` and df/dsample at each, at the price of one evaluation each.

    The slopes carry no gradient. Samples are floats.

    Raises:
      ValueError: f does not return one number per sample.
    Example:
      >>> with_slopes(lambda z: jnp.sum(z**2), jnp.ones((8, 3)))  # 3 and [2, 2, 2], eight times
    """
    values, slopes_of = jax.vjp(partial(evaluate, f), samples)
    return values, jax.lax.stop_gradient(slopes_of(jnp.ones_like(values))[0])


def log_prob(q: Distribution, samples: Array) -> Float[Array, "samples"]:
    """Returns log q at each of `samples` (leading axis), in nats, in float32 at least.

    Raises:
      ValueError: q is a batch of distributions, which has no one log probability.
    Example:
      >>> log_prob(distrax.Independent(distrax.Bernoulli(jnp.zeros(3)), 1), jnp.ones((8, 3)))  # [8]
    """
    log_probs = with_float32_params(q).log_prob(samples)
    one_distribution(q, log_probs.shape[1:])
    return log_probs


def parameters(
    q: Distribution,
) -> tuple[dict[int, Array], Callable[[dict[int, Array]], Distribution]]:
    """Returns the floating arrays that q is made of, and the way back from such arrays to a q.

    distrax's and TFP's distributions are pytrees of their parameters; of anything else the
    dictionary is empty.

    Example:
      >>> params, rebuild = parameters(distrax.Normal(0.0, 1.0))
    """
    if isinstance(q, distrax.MultivariateNormalDiag):  # keeps its scale in bound methods, too
        both = {0: jnp.asarray(q.loc), 1: jnp.asarray(q.scale_diag)}
        return both, lambda params: distrax.MultivariateNormalDiag(params[0], params[1])
    leaves, tree = jax.tree.flatten(q)

    def rebuild(params: dict[int, Array]) -> Distribution:
        return jax.tree.unflatten(tree, [params.get(i, leaf) for i, leaf in enumerate(leaves)])

    arrays = {i: leaf for i, leaf in enumerate(leaves) if hasattr(leaf, "dtype")}
    return {i: x for i, x in arrays.items() if jnp.issubdtype(x.dtype, jnp.floating)}, rebuild


def with_float32_params(q: Distribution) -> Distribution:
    """Returns q with its parameters as float32 or wider: half precision adds up no samples."""
    params, rebuild = parameters(q)
    wide = {i: x.astype(jnp.promote_types(x.dtype, jnp.float32)) for i, x in params.items()}
    if all(wide[i].dtype == x.dtype for i, x in params.items()):
        return q
    if isinstance(q, distrax.MultivariateNormalDiag):  # takes two parameters of one precision
        dtype = jnp.result_type(*wide.values())
        wide = {i: x.astype(dtype) for i, x in wide.items()}
    return rebuild(wide)


def finite(q: Distribution, *arrays: Array) -> Bool[Array, ""]:
    """Returns whether q's own parameters, and `arrays` computed with them, are all finite.

    Infinite logits mask states, which is no fault: they may be anything but NaN. Probabilities of 0
    and 1 are one: their logits, and with them the gradients, are not finite.
    """
    return _finite(parameters(q)[0], getattr(innermost(q), "logits", None), arrays)


@partial(jax.jit, inline=True)  # one call instead of ten where all is eager
def _finite(
    params: dict[int, Array], logits: Array | None, arrays: tuple[Array, ...]
) -> Bool[Array, ""]:
    if logits is None:
        return all_finite((params, arrays))
    masked = ~all_finite(params)  # q is made of logits
    no_number = jnp.any(jnp.isnan(logits))
    return ~no_number & (masked | all_finite(logits)) & all_finite(arrays)


def with_gradient(value: Scalar, grad: Params, parameter: Params) -> Scalar:
    """Returns `value` with `grad` added to its gradient in `parameter`.

    value + sum(grad * (parameter - stop(parameter))): a term of value zero. `value` keeps the
    gradients that it already carries. `grad` is taken as a constant, so a second derivative in the
    parameter is refused. A parameter that is not finite gives NaN; the estimator reports it in
    `all_finite`.

    Args:
      value: the number to return.
      grad: a pytree shaped as `parameter`.
      parameter: what the gradient is taken in: logits, or any pytree of arrays.
    Raises:
      ValueError: when it is differentiated twice in the parameter.
    Example:
      >>> jax.grad(lambda p: with_gradient(jnp.sum(p), jnp.array([5.0]), p))(jnp.ones(1))  # [6.]
    """

    def zero(g: Array, p: Array) -> Scalar:
        change = p - jax.lax.stop_gradient(p)
        return jnp.vdot(jax.lax.stop_gradient(g), change, precision=jax.lax.Precision.HIGHEST)

    total = value + sum(jax.tree.leaves(jax.tree.map(zero, grad, parameter)))
    return first_derivative_only(total, parameter)


@jax.custom_jvp
def first_derivative_only(value: Scalar, parameter: Params) -> Scalar:
    """Returns `value`, whose second derivatives in `parameter` are refused: they would be wrong.

    Args:
      value: with the first derivative that is meant.
      parameter: arrays in floating point.
    Raises:
      ValueError: when it is differentiated twice in the parameter.
    Example:
      >>> jax.grad(lambda p: first_derivative_only(p**2, p))(3.0)
      Array(6., dtype=float32, weak_type=True)
    """
    return value


@first_derivative_only.defjvp
def _first(primals: tuple[Scalar, Params], tangents: tuple[Scalar, Params]) -> tuple:
    (value, parameter), (slope, _) = primals, tangents
    return value, slope * _one(parameter).astype(slope.dtype)


@jax.custom_jvp
def _one(parameter: Params) -> Scalar:
    return jnp.ones(())


@_one.defjvp
def _second(primals: tuple[Params], tangents: tuple[Params]) -> tuple:
    raise ValueError(
        "surrogate: got differentiated twice in the parameters of q, expected once: the second "
        "derivative of this estimator is not that of E_q[f]; pathwise(), score_function() (of an f "
        "without a parameter q) and enumeration() have all orders"
    )
