"""EM as coordinate ascent: the bound never falls, whatever the model; what breaks it is seen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.inference import EMSteps, em
from jaxgen.models import (
    ComponentFamily,
    FactorModel,
    Mixture,
    diagonal_gaussian,
    factor_steps,
    fit_mixture,
    full_gaussian,
    independent,
    isotropic,
    mixture_steps,
)


def data(count=200, dims=3):
    """Three skewed clusters, so that no model here is true."""
    rng = np.random.default_rng(3)
    centers = rng.normal(size=(3, dims)) * 2
    return centers[rng.integers(3, size=count)] + rng.gamma(2.0, size=(count, dims))


def gaussian_start(family, xs, components=3):
    labels = np.random.default_rng(0).integers(components, size=len(xs))
    return fit_mixture(family, jax.nn.one_hot(labels, components, dtype=xs.dtype), xs)


def factor_start(xs, factors=2):
    loadings = np.random.default_rng(1).normal(size=(xs.shape[1], factors))
    return FactorModel(jnp.asarray(loadings), jnp.zeros(xs.shape[1]), jnp.ones(xs.shape[1]))


def bernoulli():
    """A family that the library does not hold: vectors of bits."""

    def log_prob(probs, x):
        return jnp.sum(jax.scipy.special.xlogy(x, probs) + jax.scipy.special.xlog1py(1 - x, -probs))

    return ComponentFamily(log_prob, lambda xs, weights: weights @ xs)


def mixture_case(family, min_variance=0.0):
    xs = jnp.asarray(data())
    return mixture_steps(family(min_variance), xs), gaussian_start(family(min_variance), xs)


def bernoulli_case():
    bits = jnp.asarray((data() > 2).astype(float))
    probs = jnp.asarray(np.random.default_rng(2).uniform(0.2, 0.8, size=(2, 3)))
    return mixture_steps(bernoulli(), bits), Mixture(jnp.log(jnp.full(2, 0.5)), probs)


def factor_case(noise, min_variance):
    xs = jnp.asarray(data())
    return factor_steps(xs, noise, min_variance=min_variance), factor_start(xs)


CASES = {
    "full": lambda: mixture_case(full_gaussian),
    "full, at the floor": lambda: mixture_case(full_gaussian, 0.5),
    "diagonal": lambda: mixture_case(diagonal_gaussian),
    "bernoulli": bernoulli_case,
    "factor analysis": lambda: factor_case(independent, 0.0),
    "PCA, at the floor": lambda: factor_case(isotropic, 2.0),
}


def staircase(result):
    return np.stack([result.after_e_step, result.after_m_step], axis=1).ravel()


def falls(values):
    """The worst fall, relative to the size of the values: rounding is about 1e-16."""
    return -np.min(np.diff(values)) / np.abs(values).max()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_bound_never_falls_and_climbs(case, x64):
    steps, start = case()
    result = jax.jit(lambda start: em(steps, start, 60))(start)
    values = staircase(result)
    assert values.dtype == np.float64
    assert bool(result.all_finite)
    assert falls(values) < 1e-14
    assert values[-1] > values[0] + 0.1
    # The E-step of the next step closes the gap that the M-step opened: same params, new q.
    assert np.all(result.after_e_step[1:] >= result.after_m_step[:-1] - 1e-13)


def ridge(family, amount):
    """The usual regularization: added after the fit, so no maximum of the bound any more."""

    def fit(xs, weights):
        component = family.fit(xs, weights)
        return component._replace(variance=component.variance + amount)

    return ComponentFamily(family.log_prob, fit)


def test_a_step_that_is_no_maximization_is_seen(x64):
    xs = jnp.asarray(data())
    right = mixture_steps(diagonal_gaussian(), xs)
    optimum = em(right, gaussian_start(diagonal_gaussian(), xs), 200)
    tempered = EMSteps(lambda m: jax.nn.softmax(0.5 * jnp.log(right.e_step(m))), *right[1:])
    ridged = mixture_steps(ridge(diagonal_gaussian(), 0.3), xs)
    for broken in (tempered, ridged):
        assert falls(staircase(em(broken, optimum.params, 5))) > 1e-4


def test_several_starts_are_one_vmap(x64):
    xs = jnp.asarray(data())
    family = diagonal_gaussian()
    labels = np.random.default_rng(5).integers(3, size=(4, len(xs)))
    qs = jax.nn.one_hot(labels, 3, dtype=xs.dtype)
    starts = jax.vmap(lambda q: fit_mixture(family, q, xs))(qs)
    many = jax.vmap(lambda start: em(mixture_steps(family, xs), start, 20))(starts)
    one = em(mixture_steps(family, xs), jax.tree.map(lambda leaf: leaf[2], starts), 20)
    np.testing.assert_allclose(many.after_m_step[2], one.after_m_step, rtol=1e-12)


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="num_steps: got 0, expected an integer >= 1"):
        em(factor_steps(jnp.ones((2, 3))), factor_start(jnp.ones((2, 3))), 0)


def test_a_component_without_a_datapoint_is_no_number_that_fails():
    """Its weight is zero, and the bound that of the components that have some."""
    xs = jnp.asarray(data(20), jnp.float32)
    family = diagonal_gaussian()
    labels = jnp.arange(20) % 2
    result, whole = (
        em(mixture_steps(family, xs), fit_mixture(family, jax.nn.one_hot(labels, k), xs), 3)
        for k in (3, 2)
    )
    assert result.params.log_weights[2] == -jnp.inf
    assert result.all_finite
    np.testing.assert_allclose(result.after_m_step, whole.after_m_step, rtol=1e-5)
    assert not em(EMSteps(jnp.log, jnp.exp, lambda params, q: params), -jnp.ones(()), 1).all_finite
