"""The trajectory of params that all estimators share, and what each of them learns beside it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from jaxgen.certify.problem import Problem, mean_surrogate
from jaxgen.estimators import Estimate, Estimator
from jaxgen.types import Key, Params, Scalar


def trajectory(
    problem: Problem,
    estimators: Sequence[Estimator],
    control_optimizer: optax.GradientTransformation,
    key: Key,
) -> Iterator[tuple[int, Params, list[Any]]]:
    """Yields the step, the params and every estimator's state at each of the problem's steps.

    The problem's guide moves the params. An estimator moves its own state, seeing the same batches.

    Example:
      >>> for step, params, states in trajectory(toy(0.45), [rebar(1)], optax.adam(1e-2), key):
      ...     ...
    """
    key_x, key_init, key_steps = jax.random.split(key, 3)
    x = problem.batch(key_x)[0]
    _, q = problem.target(problem.params, x)
    keys = jax.random.split(key_init, len(estimators))
    states = [estimator.init(k, q, x) for estimator, k in zip(estimators, keys, strict=True)]
    guide = jax.grad(mean_surrogate(problem, problem.guide), has_aux=True)

    def learn(estimator: Estimator, params: Params, learner: Any, key: Key, batch: Array) -> Any:
        state, opt_state = learner
        if not jax.tree.leaves(state):
            return learner

        def control_loss(state: Any) -> tuple[Scalar, Estimate]:
            _, estimates = mean_surrogate(problem, estimator)(params, state, key, batch)
            return jnp.mean(estimates.control_loss), estimates

        grads, estimates = jax.grad(control_loss, has_aux=True)(state)
        updates, opt_state = control_optimizer.update(grads, opt_state)
        return estimator.update(optax.apply_updates(state, updates), estimates), opt_state

    @jax.jit
    def advance(start: Array | int, stop: Array | int, carry: Any) -> Any:
        def body(step: Array, carry: Any) -> Any:
            params, opt_state, learners = carry
            key = jax.random.fold_in(key_steps, step)
            key_batch, key_guide, key_learn = jax.random.split(key, 3)
            batch = problem.batch(key_batch)
            learners = [
                learn(estimator, params, learner, jax.random.fold_in(key_learn, i), batch)
                for i, (estimator, learner) in enumerate(zip(estimators, learners, strict=True))
            ]
            grads, _ = guide(params, (), key_guide, batch)
            climb = jax.tree.map(jnp.negative, grads)
            updates, opt_state = problem.optimizer.update(climb, opt_state, params)
            return optax.apply_updates(params, updates), opt_state, learners

        return jax.lax.fori_loop(start, stop, body, carry)

    learners = [(state, control_optimizer.init(state)) for state in states]
    carry = (problem.params, problem.optimizer.init(problem.params), learners)
    for start, stop in itertools.pairwise((0, *problem.steps)):
        carry = advance(start, stop, carry)
        yield stop, carry[0], [state for state, _ in carry[2]]
