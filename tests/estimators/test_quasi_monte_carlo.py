"""Quasi-Monte Carlo: unbiased at a false-alarm rate of 1e-6 per law, and its noise against K."""

from unittest import mock

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import problems
import pytest
from laws import assert_unbiased, rejected
from scipy import stats
from scipy.stats import qmc

from jaxgen.bounds import IWAE
from jaxgen.estimators import (
    doubly_reparameterized,
    leave_one_out,
    pathwise,
    quasi_monte_carlo,
    score_function,
    sticking_the_landing,
)
from jaxgen.estimators.sobol import _points, scrambled_sobol


@pytest.mark.parametrize("problem", [problems.cosine, problems.bump], ids=problems.by_name)
def test_unbiased_with_a_noise_that_falls_as_the_square(problem, key):
    """Between 4 and 64 samples, to a twentieth of that of as many independent ones."""
    exact, keys = np.asarray(problem.gradient()), jax.random.split(key, 3)
    estimators = [quasi_monte_carlo(pathwise(4)), quasi_monte_carlo(pathwise(64)), pathwise(64)]

    @jax.jit
    def draws(keys):
        pairs = zip(keys, estimators, strict=True)
        return [problems.draws(e, problem, key, 2000) for key, e in pairs]

    found = [np.asarray(each) for each in draws(keys)]
    for each in found[:2]:
        assert_unbiased(each, exact)
    with rejected():
        assert_unbiased(1.02 * found[1], exact)
    few, many, independent = (each.var(axis=0).sum() for each in found)
    assert np.log(few / many) / np.log(16) > 1.8
    assert independent > 20 * many


def test_points_that_are_not_scrambled_are_rejected():
    fixed = lambda key, count, dims: scrambled_sobol(jax.random.key(0), count, dims)  # noqa: E731
    with mock.patch("jaxgen.estimators.quasi_monte_carlo.scrambled_sobol", fixed):
        estimator = quasi_monte_carlo(pathwise(8))
        draws = problems.draws(estimator, problems.cosine, jax.random.key(0), 200)
    with rejected():
        assert_unbiased(draws, problems.cosine.gradient())


def test_the_points_are_a_net_and_each_is_uniform(key):
    """Each of the 16 boxes of a net has one point; the first point alone is uniform too."""
    for seed in jax.random.split(key, 3):
        u = np.asarray(jax.jit(scrambled_sobol, static_argnums=(1, 2))(seed, 16, 2))
        assert (u > 0).all()
        assert (u < 1).all()
        for widths in ((16, 1), (8, 2), (4, 4), (2, 8), (1, 16)):
            assert len({tuple(box) for box in np.floor(u * widths)}) == 16
    first = jax.vmap(lambda key: scrambled_sobol(key, 3, 2))(
        jax.random.split(jax.random.key(1), 2000)
    )
    assert (
        min(stats.kstest(first[:, i, j], "uniform").pvalue for i in range(3) for j in (0, 1)) > 1e-6
    )
    ours = qmc.discrepancy(np.asarray(scrambled_sobol(jax.random.key(2), 256, 4), float))
    theirs = qmc.discrepancy(qmc.Sobol(4, rng=0).random_base2(8))
    assert ours < 2 * theirs < qmc.discrepancy(np.random.default_rng(0).random((256, 4))) / 10
    assert _points(5, 3).shape == (5, 3)


LOC, SCALE = jnp.array([0.3, -0.5]), jnp.array([0.7, 1.2])


def test_sticking_the_landing_is_still_without_noise_at_the_posterior(key):
    def surrogate(params):
        q = distrax.MultivariateNormalDiag(*params)
        f = lambda z, q=q: distrax.MultivariateNormalDiag(LOC, SCALE).log_prob(z) - q.log_prob(z)  # noqa: E731
        return quasi_monte_carlo(sticking_the_landing(4)).apply((), key, f, q)[0]

    for grad in jax.jit(jax.grad(surrogate))((LOC, SCALE)):
        np.testing.assert_allclose(grad, 0.0, atol=1e-5)


@pytest.mark.parametrize(
    ("estimator", "refusal"),
    [
        (score_function(2, baseline=leave_one_out()), "got score function, expected pathwise"),
        (doubly_reparameterized(2), "got doubly reparameterized, expected pathwise or"),
        (pathwise(2, bound=IWAE), "got pathwise of the bound iwae, expected one of the ELBO"),
    ],
)
def test_where_independence_counts_it_is_refused(estimator, refusal):
    with pytest.raises(ValueError, match=f"estimator: {refusal}"):
        quasi_monte_carlo(estimator)


def test_a_q_without_such_noise_is_refused(key):
    with pytest.raises(ValueError, match="q: got Gamma, expected a distrax Normal"):
        quasi_monte_carlo(pathwise(2)).apply((), key, jnp.sin, distrax.Gamma(1.0, 1.0))
    assert repr(quasi_monte_carlo(pathwise(2))) == "quasi_monte_carlo(pathwise(2))"
