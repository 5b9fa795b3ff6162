"""Gradients without noise: a sum over the states of a discrete q, or a quadrature of a normal q."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import distrax
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.certify.exact_moments import normal_quadrature
from jaxgen.certify.problem import Problem, Target, mean_surrogate
from jaxgen.estimators import count_evaluations, enumeration, evaluate
from jaxgen.numerics import highest_precision
from jaxgen.types import Params, Scalar

MAX_EVALUATIONS = 2**16
"""Evaluations of f, over all datapoints of a batch, that a sum over states may take."""


def exact_gradient(problem: Problem, batch: Array) -> Callable[[Params], Params] | None:
    """Returns `params -> gradient` without noise, or None where nobody knows it.

    It is the problem's own; or the sum over all states, if q is Bernoulli or categorical and the
    batch takes at most 65,536 evaluations of f.

    Example:
      >>> problem = coupled()
      >>> exact_gradient(problem, jnp.ones((1, 1)))(problem.params)  # 256 evaluations of f
    """
    if problem.exact is not None:
        return problem.exact
    max_states = MAX_EVALUATIONS // len(batch)
    _, q = problem.target(problem.params, batch[0])
    try:
        num_states = count_evaluations(enumeration(), q)
    except ValueError:  # q is not discrete
        return None
    if num_states > max_states:
        return None
    surrogate = mean_surrogate(problem, enumeration(max_states=max_states))

    @jax.jit
    @highest_precision
    def gradient(params: Params) -> Params:
        return jax.grad(surrogate, has_aux=True)(params, (), jax.random.key(0), batch)[0]

    return gradient


def quadrature_gradient(target: Target, order: int = 32) -> Callable[[Params], Params]:
    """Returns `params -> gradient` of E_q[f] for a q of independent normals, by Gauss-Hermite.

    Exact if f is a polynomial of degree 2 order - 1 in each latent; of any smooth f it is the more
    accurate the higher the order. It takes order^latents evaluations of f, at the datapoint 1.

    Args:
      target: `(params, x) -> (f, q)`, as of a `Problem` without a batch of its own.
      order: nodes per latent.
    Raises:
      ValueError: order is below one; when called, q is not made of distrax.Normal.
    Example:
      >>> def target(params, x):
      ...     return jnp.cos, distrax.Normal(params["mean"], 0.5)
      >>> Problem("mine", {"mean": jnp.ones(())}, target, exact=quadrature_gradient(target))
    """

    @highest_precision
    def expectation(params: Params) -> Scalar:
        f, q = target(params, jnp.ones(1))
        mean, scale = _mean_and_scale(q)
        noise, weights = normal_quadrature(order, mean.size)
        values = evaluate(f, mean + scale * noise.reshape(-1, *mean.shape))
        return jnp.dot(weights, values, precision=jax.lax.Precision.HIGHEST)

    return jax.jit(jax.grad(expectation))


def _mean_and_scale(q: Any) -> tuple[Array, Array]:
    innermost = q
    while isinstance(innermost, distrax.Independent):
        innermost = innermost.distribution
    if not isinstance(innermost, distrax.Normal | distrax.MultivariateNormalDiag):
        raise ValueError(
            f"q: got {type(innermost).__name__}, expected distrax.Normal or "
            "distrax.MultivariateNormalDiag, or distrax.Independent of it"
        )
    return jnp.asarray(q.mean()), jnp.asarray(q.stddev())
