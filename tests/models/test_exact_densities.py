"""Mixtures and factor analysis as densities, against scipy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import assert_unbiased
from scipy import stats

from jaxgen.distributions import diagonal_normal
from jaxgen.inference import em
from jaxgen.models import (
    ComponentFamily,
    FactorModel,
    FullGaussian,
    Mixture,
    decoder,
    diagonal_gaussian,
    factor_density,
    factor_steps,
    full_gaussian,
    mixture_density,
    mixture_steps,
    observe,
    standard_normal,
    vae,
)
from jaxgen.nets import MLP

DRAWS = 20_000
MEANS = np.array([[0.0, 1.0], [2.0, -1.0]])
COVARIANCES = np.array([[[1.0, 0.6], [0.6, 0.8]], [[0.4, 0.0], [0.0, 1.5]]])
WEIGHTS = np.array([0.7, 0.3])


def drawn(p, params):
    draw = lambda key: p.distribution(params, ()).sample_and_log_prob(seed=key, sample_shape=DRAWS)  # noqa: E731
    xs, log_probs = jax.jit(draw)(jax.random.key(1))
    return np.asarray(xs, np.float64), np.asarray(log_probs, np.float64)


def test_a_mixture_draws_and_scores_as_scipy_does():
    p = mixture_density(full_gaussian(), size=2, num_components=2)
    components = FullGaussian(jnp.asarray(MEANS), jnp.asarray(COVARIANCES))
    xs, log_probs = drawn(p, Mixture(jnp.log(jnp.asarray(WEIGHTS)), components))
    parts = [
        w * stats.multivariate_normal(m, c).pdf(xs)
        for w, m, c in zip(WEIGHTS, MEANS, COVARIANCES, strict=True)
    ]
    np.testing.assert_allclose(log_probs, np.log(sum(parts)), rtol=1e-4, atol=1e-4)
    mean = WEIGHTS @ MEANS
    assert_unbiased(xs, mean)
    second = np.einsum("k,kij->ij", WEIGHTS, COVARIANCES + MEANS[:, :, None] * MEANS[:, None])
    assert_unbiased(xs[:, :, None] * xs[:, None], second)


@pytest.mark.parametrize("family", [full_gaussian, diagonal_gaussian])
def test_a_mixture_starts_round_and_em_takes_it_from_there(family):
    p = mixture_density(family(1e-3), size=2, num_components=3)
    start = jax.jit(p.init)(jax.random.key(0), ())
    np.testing.assert_allclose(np.exp(start.log_weights), 1 / 3, rtol=1e-6)
    spread = start.components[1]
    expected = np.broadcast_to(np.eye(2) if spread.ndim == 3 else 1.0, spread.shape)
    np.testing.assert_allclose(spread, expected, atol=1e-5)
    xs = jax.random.normal(jax.random.key(1), (100, 2))
    fitted = jax.jit(lambda start: em(mixture_steps(family(1e-3), xs), start, 5))(start)
    score = jax.jit(lambda mixture: p.distribution(mixture, ()).log_prob(xs).mean())
    np.testing.assert_allclose(score(start), fitted.after_e_step[0], rtol=1e-5)
    assert score(fitted.params) > score(start)


def test_factor_analysis_draws_and_scores_as_scipy_does():
    rng = np.random.default_rng(0)
    loadings, mean, noise = rng.normal(size=(4, 2)), rng.normal(size=4), rng.uniform(0.3, 2, size=4)
    model = FactorModel(*(jnp.asarray(a, jnp.float32) for a in (loadings, mean, noise)))
    p = factor_density(size=4, num_factors=2)
    xs, log_probs = drawn(p, model)
    covariance = loadings @ loadings.T + np.diag(noise)
    expected = stats.multivariate_normal(mean, covariance).logpdf(xs)
    np.testing.assert_allclose(log_probs, expected, rtol=1e-4, atol=1e-4)
    centered = xs - mean
    assert_unbiased(centered, np.zeros(4))
    assert_unbiased(centered[:, :, None] * centered[:, None], covariance)
    start = p.init(jax.random.key(0), ())
    assert bool(em(factor_steps(jnp.asarray(xs[:50], jnp.float32)), start, 3).all_finite)


def test_an_exact_density_is_the_prior_of_a_vae():
    for prior in (mixture_density(full_gaussian(), 2, 3), factor_density(2, 1)):
        model = vae(
            prior,
            standard_normal(2),
            decoder(MLP((), (2, 3)), lambda outputs: diagonal_normal(*outputs)),
            latent_size=2,
            x_shape=(3,),
        )
        params = model.init(jax.random.key(0))
        joint = lambda p, m=model: observe(m, p, jnp.ones(3)).log_joint(jnp.ones(2))  # noqa: E731
        gradient = jax.jit(jax.grad(joint))(params)
        assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradient))


def test_what_would_broadcast_or_cannot_draw_is_refused():
    family = full_gaussian()
    p = mixture_density(family, 2, 3)
    params = p.init(jax.random.key(0), ())
    with pytest.raises(ValueError, match=r"value: got shape \(1,\), expected \(2,\)"):
        p.distribution(params, ()).log_prob(jnp.ones(1))
    component = jax.tree.map(lambda leaf: leaf[0], params.components)
    with pytest.raises(ValueError, match=r"x: got shape \(1,\), expected \(2,\)"):
        family.log_prob(component, jnp.ones(1))
    with pytest.raises(ValueError, match="family: got one without sample"):
        mixture_density(ComponentFamily(family.log_prob, family.fit), 2, 3)
    with pytest.raises(ValueError, match="num_factors: got 0"):
        factor_density(2, 0)
