"""Local optimization against exact posteriors, and learning theta and an encoder beside it."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from linear_gaussian import LinearGaussian, example

from jaxgen.estimators import sticking_the_landing
from jaxgen.inference import (
    SVIState,
    amortized_loss,
    optimize_local,
    semi_amortized_loss,
    svi_step,
    tune_encoder,
)

MODEL, X = example()


def mean_field(phi):
    """q = N(phi[0], diag(exp(2 phi[1])))."""
    return distrax.Independent(distrax.Normal(phi[0], jnp.exp(phi[1])), 1)


def exact_elbo(model, phi, x):
    """The mean-field ELBO of a linear-Gaussian model, in closed form."""
    variance = jnp.exp(2 * phi[1])
    spread = jnp.sum(model.weights**2 @ variance) / model.scale**2
    kl = 0.5 * jnp.sum(phi[0] ** 2 + variance - 1 - 2 * phi[1])
    return model.log_likelihood(x, phi[0]) - 0.5 * spread - kl


def orthogonal_model():
    """Orthogonal loadings, so that the posterior's covariance is diagonal."""
    basis = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 2)))[0] * [1.5, 0.7]
    return LinearGaussian(jnp.asarray(basis), jnp.array([0.5, -1.0, 0.2]), 0.8)


def test_the_optimum_is_the_mean_field_posterior(x64):
    """The exact means, and one over the precision's diagonal (Bishop 2006, section 10.1.2)."""

    @jax.jit
    @jax.vmap
    def optimum(key, x):
        def bound(phi, key):
            return exact_elbo(MODEL, phi, x)

        return optimize_local(key, bound, jnp.zeros((2, 2)), optax.adam(0.1), 600)

    xs = jnp.stack([X, X + 1.0, -X])
    result = optimum(jax.random.split(jax.random.key(0), 3), xs)
    assert bool(result.all_finite.all())
    assert result.values.shape == (3, 600)
    for phi, values, x in zip(result.params, result.values, xs, strict=True):
        mean, cov = MODEL.posterior(x)
        variance = 1 / np.diag(np.linalg.inv(cov))
        np.testing.assert_allclose(phi[0], mean, atol=1e-4)
        np.testing.assert_allclose(np.exp(2 * phi[1]), variance, rtol=1e-4)
        # The gap is KL(q || posterior): half the log of how much diag loses of the determinant.
        gap = 0.5 * (np.linalg.slogdet(cov)[1] - np.log(variance).sum())
        assert float(values[-1]) == pytest.approx(MODEL.log_marginal(x) - gap, abs=1e-6)


def test_where_the_family_holds_the_posterior_noisy_gradients_find_it_exactly(x64):
    """Sticking the landing has no variance at the posterior, so the sampled ELBO is log p(x)."""
    model = orthogonal_model()

    @jax.jit
    def optimum(key):
        def bound(phi, key):
            q = mean_field(phi)

            def log_ratio(z, q=q):
                return model.log_joint(X, z) - q.log_prob(z)

            return sticking_the_landing().apply((), key, log_ratio, q)[0]

        return optimize_local(key, bound, jnp.zeros((2, 2)), optax.adam(0.03), 1500)

    result = optimum(jax.random.key(1))
    mean, cov = model.posterior(X)
    np.testing.assert_allclose(result.params[0], mean, atol=1e-3)
    np.testing.assert_allclose(np.exp(2 * result.params[1]), np.diag(cov), rtol=1e-3)
    np.testing.assert_allclose(result.values[-20:], model.log_marginal(X), atol=1e-4)
    assert result.values[:20].mean() < model.log_marginal(X) - 0.3


def test_a_categorical_posterior_is_found_by_its_logits(x64):
    log_joint = jnp.log(jnp.array([0.02, 0.3, 0.001, 0.12]))  # log p(x, z) for z = 0 ... 3

    def bound(logits, key):
        log_q = jax.nn.log_softmax(logits)
        return jnp.sum(jnp.exp(log_q) * (log_joint - log_q))

    run = jax.jit(lambda key: optimize_local(key, bound, jnp.zeros(4), optax.adam(0.1), 1000))
    result = run(jax.random.key(0))
    assert float(result.values[-1]) == pytest.approx(np.log(0.441), abs=1e-7)
    np.testing.assert_allclose(jax.nn.softmax(result.params), np.exp(log_joint) / 0.441, atol=1e-4)
    assert result.values[0] < np.log(0.441) - 0.5


def test_trouble_is_told_and_no_gradient_leaves():
    def bound(phi, key):
        return jnp.sum(jnp.sqrt(phi))

    def last(phi):
        return optimize_local(jax.random.key(0), bound, phi, optax.sgd(0.1), 3)

    assert bool(last(jnp.ones(2)).all_finite)
    assert not bool(last(-jnp.ones(2)).all_finite)
    gradient = jax.grad(lambda phi: jnp.sum(last(phi).params) + last(phi).values[0])(jnp.ones(2))
    np.testing.assert_array_equal(gradient, 0)


class World:
    """A bias to learn, orthogonal loadings that are known, and data that the model did not make."""

    model = orthogonal_model()
    xs = jnp.asarray(np.random.default_rng(6).normal([1.0, 2.0, -1.0], size=(12, 3)))

    @classmethod
    def objective(cls, bias, phi, key, x):
        return exact_elbo(cls.model._replace(bias=bias), phi, x)

    @classmethod
    def state(cls, optimizer):
        bias = jnp.zeros(3)
        return SVIState(
            params=bias, opt_state=optimizer.init(bias), local_params=jnp.zeros((12, 2, 2))
        )


def test_the_gradient_at_the_local_optimum_is_that_of_the_likelihood(x64):
    """Fisher's identity: at the exact posterior, grad ELBO = grad log p(x)."""
    sgd = optax.sgd(1.0)
    update = jax.jit(svi_step(World.objective, sgd, optax.adam(0.1), 600))
    indices = jnp.array([7, 2, 5])
    batch = (indices, World.xs[indices])
    state, info = update(World.state(sgd), jax.random.key(0), batch)
    cov = World.model.weights @ World.model.weights.T + 0.64 * jnp.eye(3)
    gradient = np.linalg.solve(cov, World.xs[indices].mean(axis=0))  # of log N(x; 0, cov)
    np.testing.assert_allclose(state.params, gradient, atol=1e-4)
    assert float(info["grad_norm"]) == pytest.approx(np.linalg.norm(gradient), abs=1e-4)
    log_px = World.model._replace(bias=np.zeros(3)).log_marginal(World.xs[indices])
    assert float(info["elbo"]) == pytest.approx(np.mean(log_px), abs=1e-6)
    assert bool(info["all_finite"])
    # Only the batch's own phi moved.
    moved = np.any(np.asarray(state.local_params) != 0, axis=(1, 2))
    np.testing.assert_array_equal(np.flatnonzero(moved), [2, 5, 7])
    mean, _ = World.model._replace(bias=np.zeros(3)).posterior(World.xs[7])
    np.testing.assert_allclose(state.local_params[7, 0], mean, atol=1e-4)


def test_five_steps_over_the_data_learn_theta(x64):
    """The best bias is the mean of the data, however the data came by."""
    optimizer = optax.sgd(optax.exponential_decay(0.5, 200, 0.1))
    update = svi_step(World.objective, optimizer, optax.adam(0.05), 10)

    @jax.jit
    def learn(key):
        def step(state, index):
            key_batch, key_update = jax.random.split(jax.random.fold_in(key, index))
            indices = jax.random.choice(key_batch, 12, (4,), replace=False)
            return update(state, key_update, (indices, World.xs[indices]))

        return jax.lax.scan(step, World.state(optimizer), jnp.arange(600))

    state, infos = learn(jax.random.key(3))
    assert bool(infos["all_finite"].all())
    np.testing.assert_allclose(state.params, World.xs.mean(axis=0), atol=0.05)
    assert infos["elbo"][-50:].mean() > infos["elbo"][:5].mean() + 0.5


def test_each_datapoint_has_noise_of_its_own():
    def objective(theta, phi, key, x):
        return phi * jax.random.normal(key) + 0.0 * theta

    sgd = optax.sgd(1.0)
    state = SVIState(
        params=jnp.zeros(()), opt_state=sgd.init(jnp.zeros(())), local_params=jnp.zeros(3)
    )
    batch = (jnp.arange(3), jnp.zeros(3))
    state, _ = svi_step(objective, sgd, sgd, 1)(state, jax.random.key(0), batch)
    assert len(set(np.asarray(state.local_params).tolist())) == 3


def encode(params, x):
    """q(z|x) whose mean is linear in x: the exact posterior is among them."""
    encoder = params["encoder"]
    return jnp.stack([encoder["weights"] @ x + encoder["bias"], encoder["log_scale"]])


ENCODER = {"weights": jnp.full((2, 3), 0.1), "bias": jnp.ones(2), "log_scale": jnp.zeros(2)}
PARAMS = {"encoder": ENCODER, "bias": jnp.array([0.2, 0.0, -0.3])}


def objective(params, phi, key, x):
    return World.objective(params["bias"], phi, key, x)


def test_the_decoder_learns_after_local_steps_and_the_encoder_before_them(x64):
    """Both gradients in closed form: of the ELBO at phi_0, and of log p(x) at phi_T."""
    x = World.xs[3]
    loss = semi_amortized_loss(objective, encode, optax.adam(0.1), 600)
    (value, info), gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))(
        PARAMS, jax.random.key(0), x
    )
    expected = jax.grad(amortized_loss(objective, encode), has_aux=True)(
        PARAMS, jax.random.key(0), x
    )[0]
    for name, of in gradient["encoder"].items():
        np.testing.assert_allclose(of, expected["encoder"][name], rtol=1e-9)
    model = World.model._replace(bias=PARAMS["bias"])
    cov = model.weights @ model.weights.T + 0.64 * jnp.eye(3)
    np.testing.assert_allclose(
        gradient["bias"], -np.linalg.solve(cov, x - PARAMS["bias"]), atol=1e-3
    )
    # Another gradient than the encoder's phi would give.
    assert np.abs(gradient["bias"] - expected["bias"]).max() > 0.1
    assert float(info["elbo"]) == pytest.approx(model.log_marginal(x), abs=1e-5)
    start = exact_elbo(model, encode(PARAMS, x), x)
    assert float(value) == pytest.approx(-float(start) - float(info["elbo"]), abs=1e-5)


def test_a_tuned_encoder_is_the_best_of_its_kind_for_the_data(x64):
    """Here that is the exact posterior: what the encoder then gives is log p(x) for every x."""
    model = World.model._replace(bias=PARAMS["bias"])

    def bound(encoder, key, x):
        return objective({**PARAMS, "encoder": encoder}, encode({"encoder": encoder}, x), key, x)

    @jax.jit
    def tune(key):
        falling = optax.adam(optax.cosine_decay_schedule(0.1, 1500))
        return tune_encoder(key, bound, ENCODER, World.xs, falling, num_steps=1500, batch_size=6)

    encoder = tune(jax.random.key(1))
    for x in World.xs[:3]:
        found = bound(encoder, jax.random.key(0), x)
        assert float(found) == pytest.approx(model.log_marginal(x), abs=1e-3)
        assert bound(ENCODER, jax.random.key(0), x) < found - 0.3


@pytest.mark.parametrize("name", ["num_steps", "batch_size"])
def test_an_encoder_is_not_tuned_by_nothing(name):
    numbers = {"num_steps": 1, "batch_size": 1, name: 0}
    with pytest.raises(ValueError, match=f"{name}: got 0, expected an integer >= 1"):
        tune_encoder(jax.random.key(0), objective, ENCODER, World.xs, optax.sgd(0.1), **numbers)


def test_no_local_steps_are_refused():
    with pytest.raises(ValueError, match="num_steps: got 0, expected an integer >= 1"):
        optimize_local(jax.random.key(0), lambda phi, key: phi, 0.0, optax.sgd(0.1), 0)
    with pytest.raises(ValueError, match="num_local_steps: got 0, expected an integer >= 1"):
        svi_step(World.objective, optax.sgd(0.1), optax.sgd(0.1), 0)
    with pytest.raises(ValueError, match="num_local_steps: got 0, expected an integer >= 1"):
        semi_amortized_loss(objective, encode, optax.sgd(0.1), 0)
