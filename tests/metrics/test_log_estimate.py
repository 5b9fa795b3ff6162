"""The error of an importance-weighted log estimate, against quadrature and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats

from jaxgen.bounds import ELBO
from jaxgen.distributions import diagonal_normal
from jaxgen.metrics import log_estimate, log_second_moment, pareto_k


def normal(mean, scale):
    return diagonal_normal(jnp.array([mean]), scale=jnp.array([scale]))


@pytest.mark.parametrize(("mean", "scale"), [(0.3, 0.9), (-1.0, 0.75), (0.0, 1.5)])
def test_the_second_moment_of_the_weights_is_that_of_quadrature(mean, scale, x64):
    q, target = stats.norm(mean, scale), stats.norm(0.2, 0.8)
    moment = integrate.quad(lambda z: target.pdf(z) ** 2 / q.pdf(z), -12, 12)[0]
    found = log_second_moment(normal(mean, scale), normal(0.2, 0.8))
    assert np.exp(found) == pytest.approx(moment, rel=1e-6)


def test_of_too_thin_a_q_the_variance_is_infinite():
    assert log_second_moment(normal(0.0, 0.7), normal(0.0, 1.0)) == jnp.inf
    assert jnp.isfinite(log_second_moment(normal(0.0, 0.72), normal(0.0, 1.0)))


def test_every_count_takes_its_sets_from_the_whole_pool():
    errors = np.random.default_rng(0).normal(size=12).astype(np.float32)
    found = log_estimate(jnp.asarray(errors), (1, 3, 6))
    for i, count in enumerate((1, 3, 6)):
        sets = errors.reshape(-1, count)
        estimates = special.logsumexp(sets, axis=1) - np.log(count)
        weights = np.exp(sets)
        ess = weights.sum(axis=1) ** 2 / (weights**2).sum(axis=1)
        assert found.bias[i] == pytest.approx(estimates.mean(), rel=1e-5)
        assert found.variance[i] == pytest.approx(estimates.var(ddof=1), rel=1e-5)
        assert found.ess[i] == pytest.approx(ess.mean(), rel=1e-5)
    assert log_estimate(jnp.asarray(errors), (3,), ELBO).bias[0] == pytest.approx(errors.mean())


def test_the_tail_is_that_of_the_median_set_of_the_most_samples():
    errors = 3 * np.random.default_rng(0).normal(size=(3, 50)).astype(np.float32)
    each = sorted(float(pareto_k(jnp.asarray(of))) for of in errors)
    found = log_estimate(jnp.asarray(errors.ravel()), (5, 50)).pareto_k
    assert each[0] < each[1] < each[2]
    assert float(found) == pytest.approx(each[1], rel=1e-5)


@pytest.mark.parametrize("counts", [(0,), (2, 7)])
def test_a_count_that_the_pool_does_not_hold_twice_is_refused(counts):
    with pytest.raises(ValueError, match="counts: got"):
        log_estimate(jnp.zeros(12), counts)
