"""A measurement reports what is known in closed form, and sees what is broken."""

import math

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.certify import GROUPS, Problem, measure, quadratic
from jaxgen.distributions import Bernoulli
from jaxgen.estimators import (
    disarm,
    leave_one_out,
    measure_valued,
    moving_average,
    pathwise,
    score_function,
)
from tests.certify.broken import scaled

# One point, d = mean - k = -2 and scale 1, so that each estimator compiles once.
QUADRATIC = quadratic()._replace(
    params={"mean": jnp.ones(()), "scale": jnp.ones(()), "k": jnp.asarray(2.99)}, steps=(2,)
)
FALSE_ALARM_Z = 5.5  # of a normal: 4e-8 a row


def closed_form(name, part, d, s):
    """Mohamed et al. (2020), one sample."""
    return {
        ("score_function", "mean"): d**4 / s**2 + 14 * d**2 + 15 * s**2,
        ("score_function", "scale"): 2 * d**4 / s**2 + 60 * d**2 + 74 * s**2,
        ("pathwise", "mean"): 4 * s**2,
        ("pathwise", "scale"): 4 * d**2 + 8 * s**2,
        ("measure_valued", "mean"): d**2 * (16 / math.pi - 4),
        ("measure_valued", "scale"): 4 * d**2 + 4 * s**2,
    }[name, part]


@pytest.fixture(scope="module")
def rows():
    makes = {
        "score_function": score_function,
        "pathwise": pathwise,
        "measure_valued": measure_valued,
        "two_percent": lambda samples: scaled(pathwise(samples), 1.02),
    }
    return measure(QUADRATIC, makes, evaluations=(1,), num_draws=100_000)


def test_the_closed_forms_lie_in_the_intervals(rows):
    for row in rows:
        if row.estimator != "two_percent":
            exact = closed_form(row.estimator, row.subtree, -2.0, 1.0)
            # Six numbers at 95% each would fail one time in four: the interval is widened to 5 se.
            widen = (row.variance_high / row.variance) ** (5 / 2)
            assert row.variance / widen < exact < row.variance * widen, row
            assert widen < 1.5  # the tails of the score function in the scale are heavy


def test_unbiased_ones_pass_and_two_percent_is_seen(rows):
    for row in rows:
        if row.estimator == "two_percent":  # .08 of a mean that is known to .006
            assert row.subtree == "scale" or row.bias_z < -FALSE_ALARM_Z, row
        else:
            assert abs(row.bias_z) < FALSE_ALARM_Z, row
            assert row.reference == pytest.approx(-4.0 if row.subtree == "mean" else 2.0, rel=1e-4)


def test_costs_follow_from_the_columns(rows):
    for row in rows:
        assert row.variance_x_evaluations == row.variance * row.evaluations
        assert row.variance_x_time == row.variance * row.seconds_per_gradient
        assert row.variance_low < row.variance < row.variance_high
        assert row.evaluations == (4 if row.estimator == "measure_valued" else 1)
    dearer = next(row for row in rows if row.estimator == "measure_valued")
    assert dearer.draws == 25_000  # as many evaluations of f as the others had


def cosine_of_bits(logits, x):
    return lambda b: jnp.cos(jnp.sum(b)), distrax.Independent(Bernoulli(logits), 1)


def test_rows_of_few_states_are_compared_with_the_exact_gradient():
    """A shared reference with noise moves every z of a table the same way."""
    logits = jnp.linspace(-1.0, 1.0, 3)
    problem = Problem("cosine_of_bits", logits, cosine_of_bits, steps=(0,))
    bits = np.indices((2, 2, 2)).reshape(3, -1).T

    def expectation(logits):
        probs = jnp.prod(jnp.where(bits == 1, jax.nn.sigmoid(logits), jax.nn.sigmoid(-logits)), 1)
        return jnp.sum(probs * np.cos(bits.sum(1)))

    length = float(jnp.linalg.norm(jax.grad(expectation)(logits)))
    makes = {"disarm": disarm, "rloo": lambda n: score_function(n, baseline=leave_one_out())}
    for row in measure(problem, makes, num_draws=2000):
        assert row.reference == pytest.approx(length, rel=1e-5)
        assert abs(row.bias_z) < FALSE_ALARM_Z


def test_estimators_learn_beside_a_trajectory_that_others_share():
    """From the mean of f far from zero, three batches of five take most of the variance."""

    def target(params, x):
        return lambda b: 10 + x[0] * b, Bernoulli(params["logit"])

    problem = Problem(
        "far",
        {"logit": jnp.zeros(())},
        target,
        batch=lambda key: jax.random.normal(key, (5, 1)),
        parts=("logit",),
        steps=(3,),
    )
    makes = {
        "score_function": score_function,
        "moving_average": lambda n: score_function(n, baseline=moving_average()),
    }
    plain, baseline = measure(problem, makes, num_draws=2 * GROUPS)
    assert baseline.variance < plain.variance / 5


def test_bad_numbers_of_draws_are_named():
    for num_draws in (20, 50):
        with pytest.raises(ValueError, match="num_draws"):
            measure(QUADRATIC, {"pathwise": pathwise}, num_draws=num_draws)
