"""A gradient to estimate, and what an estimator makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from jaxgen.estimators import Estimate, Estimator, leave_one_out, score_function
from jaxgen.types import Distribution, Key, Params, Scalar

Target: TypeAlias = Callable[[Params, Array], tuple[Callable[..., Array], Distribution]]
"""`(params, x) -> (f, q)` of one datapoint: the gradient of E_q[f] in params is wanted."""


class Problem(NamedTuple):
    """The gradient of the mean of E_q[f] over a batch, at the points of one trajectory of params.

    The params move in the same way for every estimator: `optimizer` applies the gradients of
    `guide`. By default they stay where they are.

    Attributes:
      name: what tables call it.
      params: where the trajectory starts.
      target: `(params, x) -> (f, q)` of one datapoint x.
      batch: `key -> datapoints` on a leading axis; by default one, the number 1.
      parts: keys of params whose gradients are reported apart; none for all of params as one.
      exact: `params -> gradient`, shaped as params; `quadrature_gradient(target)` for a normal q.
        Without it `exact_gradient` sums over the states of a discrete q, if they are few.
      steps: updates after which the gradient is measured.
      label: `(step, params) -> str`, what tables and pictures call that point.
      optimizer: moves the params; f is climbed.
      guide: the unbiased estimator that the optimizer hears. Where no exact gradient is known, many
        of its draws are the reference.
    Example:
      >>> def target(logit, x):
      ...     return lambda b: (b - 0.3) ** 2, distrax.Bernoulli(logit)
      >>> problem = Problem("mine", jnp.zeros(()), target)
    """

    name: str
    params: Params
    target: Target
    batch: Callable[[Key], Array] = lambda key: jnp.ones((1, 1))
    parts: tuple[str, ...] = ()
    exact: Callable[[Params], Params] | None = None
    steps: tuple[int, ...] = (500,)
    label: Callable[[int, Params], str] = lambda step, params: f"step {step}"
    optimizer: optax.GradientTransformation = optax.set_to_zero()
    guide: Estimator = score_function(2, baseline=leave_one_out())


def mean_surrogate(
    problem: Problem, estimator: Estimator
) -> Callable[[Params, Any, Key, Array], tuple[Scalar, Estimate]]:
    """Returns `(params, state, key, batch) -> (mean surrogate, estimates of every datapoint)`.

    Example:
      >>> surrogate, estimates = mean_surrogate(toy(0.45), disarm(2))(params, (), key, batch)
    """

    def surrogate(params: Params, state: Any, key: Key, batch: Array) -> tuple[Scalar, Estimate]:
        def one(key: Key, x: Array) -> tuple[Scalar, Estimate]:
            return estimator.apply(state, key, *problem.target(params, x), x)

        values, estimates = jax.vmap(one)(jax.random.split(key, len(batch)), batch)
        return jnp.mean(values), estimates

    return surrogate


def estimated_gradient(
    problem: Problem, estimator: Estimator
) -> Callable[[Params, Any, Key, Array], dict[str, Params]]:
    """Returns `(params, state, key, batch) -> one draw of the gradient`, a dictionary of parts.

    Without `problem.parts` the only part is "params".

    Example:
      >>> problem = toy(0.45)
      >>> one = estimated_gradient(problem, disarm(2))
      >>> one(problem.params, (), jax.random.key(0), jnp.ones((1, 1)))["phi"]
    """
    grad = jax.grad(mean_surrogate(problem, estimator), has_aux=True)

    def gradient(params: Params, state: Any, key: Key, batch: Array) -> dict[str, Params]:
        return split_parts(problem, grad(params, state, key, batch)[0])

    return gradient


def split_parts(problem: Problem, gradient: Params) -> dict[str, Params]:
    """Returns the reported parts of a gradient shaped as the problem's params."""
    return {name: gradient[name] for name in problem.parts} or {"params": gradient}
