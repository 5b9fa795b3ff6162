"""Flows as densities: in the plane by quadrature, as posteriors, in a context, over gray levels."""

import distrax
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from laws import assert_unbiased, rejected

from jaxgen.certify import bijector_errors, check_density, density_report
from jaxgen.distributions import (
    Squeeze,
    affine,
    logit,
    rational_quadratic_spline,
)
from jaxgen.models import (
    Density,
    autoregressive_flow,
    autoregressive_layer,
    coupling_flow,
    coupling_layer,
    coupling_layers,
    dequantized,
    fixed,
    flow,
    flow_posterior,
    inverse_autoregressive_posterior,
    observe,
    standard_normal,
    variational_noise,
)
from jaxgen.nets import MADE, MLP
from jaxgen.objectives import importance_weighted_bound

SPLINE = rational_quadratic_spline(4)


def mlp(shape):
    return MLP((8,), shape, nn.tanh)


def made(outputs):
    return MADE((8,), outputs, activation=nn.tanh)


def half(outputs):
    """In bfloat16 throughout."""
    return MADE((8,), outputs, activation=nn.tanh, dtype=jnp.bfloat16)


FLOWS = {
    "affine coupling": coupling_flow(mlp, affine(), (2,), 3),
    "spline coupling": coupling_flow(mlp, SPLINE, (2,), 2),
    "spline autoregressive": autoregressive_flow(made, SPLINE, (2,), 2),
}


def moved(density, context=(), scale=0.5):
    """Params away from the start."""
    params, unravel = ravel_pytree(jax.jit(density.init)(jax.random.key(0), context))
    return unravel(params + scale * jax.random.normal(jax.random.key(1), params.shape))


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_is_a_density(name):
    check_density(FLOWS[name], moved(FLOWS[name]), jax.random.key(2), num_draws=4000)


def test_a_flow_of_bfloat16_nets_is_a_density_scored_in_float32():
    """Its nets round away what float32 tells apart: a draw comes back off by as much."""
    density = autoregressive_flow(half, affine(), (2,), 2)
    report = density_report(density, moved(density), jax.random.key(2), num_draws=4000)
    rounded = ("while drawing", "log det", "inverse")
    assert all(any(of in finding.law for of in rounded) for finding in report.failures)


def test_the_log_prob_without_a_determinant_is_none():
    whole = FLOWS["affine coupling"]

    class Forgetful(distrax.Transformed):
        def log_prob(self, value):
            return self.distribution.log_prob(self.bijector.inverse(value))

        def _sample_n_and_log_prob(self, key, n):
            x = self._sample_n(key, n)
            return x, self.log_prob(x)

    def distribution(params, context):
        p = whole.distribution(params, context)
        return Forgetful(p.distribution, p.bijector)

    broken = Density(whole.init, distribution)
    report = density_report(broken, moved(whole), jax.random.key(2), num_draws=4000)
    assert any("integral" in str(of) or "normal" in str(of) for of in report.failures)


def test_in_a_context_a_flow_is_a_density():
    density = autoregressive_flow(made, affine(), (2,), 2)
    context = jnp.ones(3)
    params = moved(density, context, 0.3)
    check_density(density, params, jax.random.key(2), context=context, num_draws=4000)
    scores = [density.distribution(params, c * context).log_prob(jnp.ones(2)) for c in (0, 1)]
    assert abs(scores[0] - scores[1]) > 0.01


def test_images_are_scored_in_their_own_units(x64):
    density = coupling_flow(mlp, SPLINE, (4, 4, 1), 4, data=[logit(), Squeeze(2)])
    params = moved(density, scale=0.3)
    xs = jax.random.uniform(jax.random.key(3), (2, 4, 4, 1), jnp.float64)

    @jax.jit
    def numbers(xs):
        p = density.distribution(params, ())
        to_noise = p.bijector.inverse
        jacobians = jax.vmap(jax.jacfwd(lambda x: to_noise(x).ravel()))(xs).reshape(2, 16, 16)
        log_det = jnp.linalg.slogdet(jacobians)[1]
        normal = jax.scipy.stats.norm.logpdf(to_noise(xs)).sum(axis=(1, 2, 3))
        return p.log_prob(xs), normal + log_det, to_noise(xs)

    log_prob, expected, z = numbers(xs)
    assert z.shape == (2, 2, 2, 4)
    np.testing.assert_allclose(log_prob, expected, rtol=1e-8)
    draws = jax.jit(lambda: density.distribution(params, ()).sample(seed=jax.random.key(0)))()
    assert draws.shape == (4, 4, 1)


POSTERIORS = {
    "spline couplings": flow_posterior(
        MLP((8,), (3, 3), nn.tanh), mlp, 3, 3, rational_quadratic_spline(4)
    ),
    "inverse autoregressive": inverse_autoregressive_posterior(
        MLP((8,), (3, 3), nn.tanh), made, 3, 2
    ),
}


@pytest.mark.parametrize("name", POSTERIORS)
def test_a_posterior_scores_its_draws_alike_and_by_its_jacobian(name):
    x = jnp.ones((2, 2))
    params = moved(POSTERIORS[name], x)

    @jax.jit
    def numbers(key):
        q = POSTERIORS[name].distribution(params, x)
        z, told = q.sample_and_log_prob(seed=key)
        return told, q.log_prob(z), bijector_errors(q.bijector, z[None])

    told, afterwards, errors = numbers(jax.random.key(2))
    np.testing.assert_allclose(told, afterwards, rtol=1e-4, atol=1e-3)
    assert max(errors) < 1e-3


def test_deep_posteriors_of_untrained_nets_are_finite():
    """Of unbounded log scales, 9 of 10 images had an infinite KL."""
    x = jax.random.uniform(jax.random.key(0), (28, 28, 1))
    q = flow_posterior(MLP((200,), (3, 50)), lambda shape: MLP((100,), shape), 50, 16)

    @jax.jit
    def told(key):
        key_init, key_draw = jax.random.split(key)
        p = q.distribution(q.init(key_init, x), x)
        return p.sample_and_log_prob(seed=key_draw, sample_shape=(100,))

    z, log_q = told(jax.random.key(1))
    assert np.isfinite(log_q).all()
    assert np.isfinite(jnp.sum(z**2, axis=1)).all()


GRAY = jnp.array([0.0, 0.5])


def dequantized_pair(noise=None):
    """Two pixels of three levels, and their exact probabilities by quadrature."""
    density = coupling_flow(mlp, SPLINE, (2,), 2, data=[logit(event_ndims=1)])
    model = dequantized(density, 3, (2,), noise)
    params, unravel = ravel_pytree(jax.jit(model.init)(jax.random.key(0)))
    params = unravel(params + 0.3 * jax.random.normal(jax.random.key(1), params.shape))
    nodes, weights = np.polynomial.legendre.leggauss(60)
    nodes, weights = (nodes + 1) / 2, weights / 2
    cell = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1)
    area = np.outer(weights, weights) / 9
    corners = np.stack(np.meshgrid(range(3), range(3), indexing="ij"), axis=-1) / 3
    points = corners[:, :, None, None] + cell / 3
    p = jnp.exp(jax.jit(lambda v: model.prior(params).log_prob(v))(jnp.asarray(points)))
    return model, params, np.sum(np.asarray(p) * area, axis=(2, 3))


@pytest.mark.parametrize(
    "noise", [None, variational_noise(mlp, (2,), 2, 4)], ids=["uniform", "var"]
)
def test_bounds_of_gray_levels_rise_to_the_exact_probability(noise):
    """The mean weight is P(x) itself, and one sample's bound lies below (false alarm 1e-6)."""
    model, params, exact = dequantized_pair(noise)
    assert exact.sum() == pytest.approx(1, abs=0.05)  # the rest lies beyond [0, 1]

    @jax.jit
    def weights(key):
        at = observe(model, params, GRAY)
        log_weights = jax.vmap(lambda z: at.log_weight(z))(at.q.sample(seed=key, sample_shape=4000))
        bounds = jax.vmap(lambda key: importance_weighted_bound(key, at.log_joint, at.q, 16))(
            jax.random.split(jax.random.clone(key), 200)
        )
        return log_weights, bounds

    log_weights, bounds = weights(jax.random.key(3))
    assert_unbiased(np.exp(log_weights), exact[0, 1])
    assert log_weights.mean() < bounds.mean() < np.log(exact[0, 1]) + 1e-3
    with rejected():  # what the noise of four levels says of three
        assert_unbiased(np.exp(log_weights) * (3 / 4) ** 2, exact[0, 1])


def test_what_lies_in_another_bin_is_no_such_level(key):
    model, params, _ = dequantized_pair()
    p = model.decode(params, jnp.array([0.2, 0.5]))
    assert p.log_prob(GRAY) == 0
    assert p.log_prob(jnp.array([0.5, 0.5])) == -jnp.inf
    np.testing.assert_array_equal(p.sample(seed=key), GRAY)
    with pytest.raises(ValueError, match=r"x: got shape \(3,\), expected \(2,\)"):
        model.encode(params, jnp.zeros(3))


def test_variational_noise_starts_as_the_uniform_and_stays_within():
    def zero(shape):
        return MLP((8,), shape, output_kernel_init=nn.initializers.zeros)

    for net, scale in ((zero, 0.0), (mlp, 1.0)):
        q = variational_noise(net, (2,), 2)
        params = moved(q, GRAY, scale)
        u, log_q = jax.jit(
            lambda key, q=q, params=params: q.distribution(params, GRAY).sample_and_log_prob(
                seed=key, sample_shape=1000
            )
        )(jax.random.key(0))
        assert u.min() >= 0
        assert u.max() <= 1
        if not scale:
            np.testing.assert_allclose(log_q, 0, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: coupling_flow(mlp, affine(), (1,), 2), "x_shape: got 1, expected an integer >= 2"),
        (lambda: coupling_flow(mlp, affine(), (2,), 0), "num_layers: got 0, expected an integer"),
        (lambda: autoregressive_flow(made, affine(), (2,), 0), "num_layers: got 0, expected an"),
        (lambda: dequantized(standard_normal(2), 1, (2,)), "levels: got 1, expected an integer"),
        (lambda: standard_normal((2, 0)), "size: got 0, expected an integer >= 1"),
        (
            lambda: coupling_layer(lambda shape: mlp((3,)), affine(), (4,)).init(
                jax.random.key(0), ()
            ),
            r"conditioner: got an output of shape \(3,\), expected \(2, 2\)",
        ),
        (
            lambda: autoregressive_layer(lambda outputs: made(3), affine(), (4,)).init(
                jax.random.key(0), ()
            ),
            r"net: got an output of shape \(4, 3\), expected \(4, 2\)",
        ),
    ],
)
def test_what_makes_no_flow_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_halves_are_shuffled_between_pairs_of_couplings():
    layers = coupling_layers(mlp, affine(), (4,), 3)
    assert len(layers) == 4
    shuffled = layers[2].bijector({}, ()).forward(jnp.arange(4.0))
    np.testing.assert_array_equal(shuffled, [2, 0, 3, 1])
    p = flow(standard_normal(4), [fixed(layers[2].bijector({}, ()))])
    assert p.distribution({"noise": {}, "layers": [{}]}, ()).log_prob(jnp.zeros(4)) < 0
