"""The certificate of one estimator on one problem: is it unbiased, and how noisy is it?"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.certify.bias import Bias, worst, z_score
from jaxgen.certify.exact_gradient import exact_gradient
from jaxgen.certify.moments import Moments, grad_moments
from jaxgen.certify.problem import Problem, estimated_gradient, split_parts
from jaxgen.certify.running import widened
from jaxgen.estimators import Estimator, count_evaluations
from jaxgen.numerics import highest_precision
from jaxgen.types import Key


class Certificate(NamedTuple):
    """What many draws say of an estimator's gradient.

    Attributes:
      gradient: its moments, by part of the problem's params ("params" if it has none).
      bias: mean less the exact gradient, and that in standard errors, likewise.
      evaluations: evaluations of f per datapoint and gradient.
    Example:
      >>> found = certify(toy(0.45), disarm(2), jax.random.key(0), num_draws=100)
      >>> found.evaluations
      2
    """

    gradient: Moments
    bias: Bias
    evaluations: int


@highest_precision
def certify(
    problem: Problem, estimator: Estimator, key: Key, num_draws: int = 10_000
) -> Certificate:
    """Returns the moments and the bias of an estimator at the problem's own params.

    An unbiased estimator of d coordinates has a `bias.worst_z` of about sqrt(2 log d). What the
    estimator could learn is as its `init` makes it.

    Args:
      num_draws: gradients drawn, at least 40.
    Raises:
      ValueError: num_draws is below 40; nobody knows the exact gradient; the estimator does not
        accept the problem's q or f.
    Example:
      >>> found = certify(toy(0.45), disarm(2), jax.random.key(0))
      >>> assert found.bias.worst_z < 5
      >>> found.gradient.trace, found.evaluations
    """
    key_batch, key_init, key_draws = jax.random.split(key, 3)
    batch = problem.batch(key_batch)
    _, q = problem.target(problem.params, batch[0])
    state = estimator.init(key_init, q, batch[0])
    reference = exact_gradient(problem, batch)
    if reference is None:
        raise ValueError(
            f"problem: got {problem.name} without an exact gradient, expected `exact`, or a "
            "discrete q of few states"
        )
    one = estimated_gradient(problem, estimator)
    moments = jax.jit(
        lambda key: grad_moments(lambda key: one(problem.params, state, key, batch), key, num_draws)
    )(key_draws)
    exact = widened(split_parts(problem, reference(problem.params)))
    difference = jax.tree.map(jnp.subtract, moments.mean, exact)
    z = jax.tree.map(
        lambda d, v, m, e: z_score(d, v / num_draws, jnp.abs(m) + jnp.abs(e)),
        *(difference, moments.variance, moments.mean, exact),
    )
    bias = Bias(difference, z, worst(z))
    return Certificate(moments, bias, count_evaluations(estimator, q))
