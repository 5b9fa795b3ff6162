"""What estimators are made of: f and log q at the samples, and a gradient attached to a value."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxgen.bounds import ELBO, Bound
from jaxgen.checks import one_distribution
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
    if len(samples) == 1:  # an axis of length one would cost XLA a transpose of every cotangent
        values = jax.tree.map(lambda value: jnp.asarray(value)[None], f(samples[0]))
    else:
        values = jax.vmap(f)(samples)
    shape = getattr(values, "shape", None)
    if shape is None or len(shape) != 1:
        came = "no array" if shape is None else f"shape {shape[1:]}"
        raise ValueError(f"f: got {came} for one sample, expected one number (shape ())")
    return values.astype(jnp.promote_types(jnp.result_type(values, float), jnp.float32))


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


def without_score(f: Integrand, q: Distribution, bound: Bound = ELBO) -> Integrand:
    """Returns z -> f(z, q), the params of q held, for an f with a parameter named q; else f itself.

    In log q(z) at a sample z of q, the score grad log q(z) at fixed z has mean zero. Where the
    bound is linear in the values of f it may be left out, and it is almost always better to: near
    the posterior it is most of the variance. First derivatives only: second ones do need it. Under
    any other bound than a linear one the score counts, and f is returned as it is.

    Example:
      >>> p, q = distrax.Normal(1.0, 1.0), distrax.Normal(0.0, 1.0)
      >>> f = lambda z, q=q: p.log_prob(z) - q.log_prob(z)  # a log weight
      >>> evaluate(without_score(f, q), jnp.linspace(-1.0, 1.0, 5))
    Source: Roeder et al. (2017), section 3.
    """
    if not bound.linear or not _has_parameter_q(f) or not parameters(q)[0]:
        return f
    held = jax.lax.stop_gradient(q)
    return lambda z: f(z, q=held)


def _has_parameter_q(f: Integrand) -> bool:
    try:
        parameter = inspect.signature(f).parameters.get("q")
    except (TypeError, ValueError):  # some functions have no signature
        return False
    return parameter is not None and parameter.kind is not parameter.POSITIONAL_ONLY


def parameters(
    q: Distribution,
) -> tuple[dict[int, Array], Callable[[dict[int, Array]], Distribution]]:
    """Returns the floating arrays that q is made of, and the way back from such arrays to a q.

    distrax's and TFP's distributions are pytrees of their parameters; of anything else the
    dictionary is empty.

    Example:
      >>> params, rebuild = parameters(distrax.Normal(0.0, 1.0))
    """
    leaves, tree = jax.tree.flatten(q)

    def rebuild(params: dict[int, Array]) -> Distribution:
        return jax.tree.unflatten(tree, [params.get(i, leaf) for i, leaf in enumerate(leaves)])

    arrays = {i: leaf for i, leaf in enumerate(leaves) if hasattr(leaf, "dtype")}
    return {i: x for i, x in arrays.items() if jnp.issubdtype(x.dtype, jnp.floating)}, rebuild


def with_float32_params(q: Distribution) -> Distribution:
    """Returns q with its parameters as float32 or wider: half precision adds up no samples."""
    params, rebuild = parameters(q)
    wide = {i: x.astype(jnp.promote_types(x.dtype, jnp.float32)) for i, x in params.items()}
    return q if all(wide[i].dtype == x.dtype for i, x in params.items()) else rebuild(wide)


def finite(q: Distribution, *arrays: Array) -> Bool[Array, ""]:
    """Returns whether q's own parameters, and `arrays` computed with them, are all finite.

    Logits are among the parameters of a q that was made of probabilities: 0 and 1 have none.
    """
    logits = getattr(innermost(q), "logits", ())
    return _all_finite((parameters(q)[0], logits, arrays))


_all_finite = jax.jit(all_finite, inline=True)  # one call instead of ten where all is eager


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
      >>> jax.grad(lambda p: with_gradient(jnp.sum(p), jnp.array([5.0]), p))(jnp.ones(1))  # [6.]
    """

    def zero(g: Array, p: Array) -> Scalar:
        change = p - jax.lax.stop_gradient(p)
        return jnp.vdot(jax.lax.stop_gradient(g), change, precision=jax.lax.Precision.HIGHEST)

    return value + sum(jax.tree.leaves(jax.tree.map(zero, grad, parameter)))
