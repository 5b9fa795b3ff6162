"""A report says what an estimator accepts, and sees a bias that it denies."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.certify import (
    counted_evaluations,
    enumerated_moments,
    estimator_report,
    quadratic,
    refusal,
    toy,
)
from jaxgen.estimators import arm, disarm, leave_one_out, moving_average, pathwise, score_function
from tests.certify.broken import scaled

TOY = toy(0.45)._replace(params={"phi": jnp.array(0.3)}, steps=(1,))  # moves to .31
AT_31 = TOY._replace(params={"phi": jnp.array(0.31)})
P = 1 / (1 + np.exp(-0.31))


def rloo(num_samples):
    return score_function(num_samples, baseline=leave_one_out())


def report(make, *problems, **rivals):
    return estimator_report(make, problems, rivals=rivals, num_draws=4000)


@pytest.fixture(scope="module")
def sound():
    return report(disarm, TOY, quadratic(), itself=disarm, pairs=arm)


def test_what_an_estimator_accepts_refuses_and_costs(sound):
    assert sound.holds
    assert not sound.biased
    assert set(sound.refused) == {"quadratic"}
    assert sound.refused["quadratic"].startswith("q: got Normal, expected distrax.Bernoulli")
    (of,) = sound.judged
    assert of.row.evaluations == 2
    assert of.best.estimator == "pairs"
    low, value, high = of.relative
    assert low < value < high < 1  # below the score function's, whose f is not centered
    page = str(sound)
    assert "**No bias seen**, as it says" in page
    assert "- quadratic: q: got Normal" in page


def test_a_bias_that_is_denied_is_seen_and_said(sound):
    """As large as the report said it could see: missed once in a thousand, at this key never."""
    by = sound.smallest_bias(sound.judged[0])
    assert 0 < by < 0.5
    twin = report(lambda n: scaled(disarm(n), 1 + by), TOY)
    assert twin.judged[0].row.unbiased
    assert not twin.holds
    assert "**BIASED, though it says that it is unbiased**: toy_0.45 phi" in str(twin)


def test_evaluations_that_are_not_told_are_counted(sound):
    assert sound.judged[0].counted == 2
    assert counted_evaluations(TOY, disarm(6)) == 6
    twin = report(lambda n: dataclasses.replace(disarm(2 * n), evaluations=n), TOY)
    assert twin.judged[0].counted == 4
    assert not twin.holds
    assert "**It takes more evaluations of f than it says**: toy_0.45 phi" in str(twin)
    assert "2 (takes 4)" in str(twin)


def test_the_threshold_is_of_all_coordinates(sound):
    """One coordinate at one point, two-sided: the normal quantile of 1e-6 / 2."""
    assert sound.threshold == pytest.approx(4.8916, abs=1e-3)


def test_exact_moments_are_those_of_the_closed_form():
    """RLOO of two bits: (f(1) - f(0)) / 2 where they differ, which is 2 p (1 - p) of the time."""
    difference = (1 - 0.45) ** 2 - 0.45**2
    share = 2 * P * (1 - P)
    exact = enumerated_moments(AT_31, rloo(2), 2)["phi"]
    np.testing.assert_allclose(exact.mean, share * difference / 2, rtol=1e-5)
    np.testing.assert_allclose(exact.variance, share * (1 - share) * difference**2 / 4, rtol=1e-4)
    twin = report(lambda n: scaled(rloo(n), 1.001), TOY)  # far below what draws can see
    assert twin.judged[0].exact_bias == pytest.approx(1e-3, rel=1e-2)
    assert not twin.holds


def drawing_twice(state, key, f, q, context=None):
    one, two = jax.random.split(key)
    _, estimate = rloo(2).apply(state, one, f, q, context)
    surrogate, _ = rloo(2).apply(state, two, f, q, context)
    return surrogate, estimate


def with_noise(state, key, f, q, context=None):
    noise, key = jax.random.split(key)
    surrogate, estimate = rloo(2).apply(state, key, f, q, context)
    return surrogate * (1 + jax.random.normal(noise)), estimate


@pytest.mark.parametrize(
    "estimator",
    [
        disarm(2),  # asks q for its logits, not for samples
        dataclasses.replace(rloo(2), apply=drawing_twice),
        dataclasses.replace(rloo(2), apply=with_noise),
        score_function(2, baseline=moving_average()),
    ],
    ids=["coupled uniforms", "drawing twice", "noise of its own", "state"],
)
def test_what_samples_do_not_tell_is_not_called_exact(estimator):
    assert enumerated_moments(TOY, estimator, 2) is None


def test_a_normal_has_no_states_to_sum_over():
    assert enumerated_moments(quadratic(), rloo(2), 2) is None


def test_words_of_a_refusal():
    assert not refusal(TOY, disarm)
    assert "expected a reparameterizable distribution" in refusal(TOY, pathwise)


def test_an_estimator_that_takes_no_problem_is_refused_with_its_words():
    with pytest.raises(ValueError, match=r"problems: got none .*expected distrax.Bernoulli"):
        report(disarm, quadratic())


def test_what_breaks_in_words_of_its_own_is_told():
    def breaks(num_samples):
        raise TypeError("unsupported operand")

    with pytest.raises(ValueError, match="TypeError: unsupported operand"):
        report(breaks, TOY)
