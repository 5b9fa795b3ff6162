"""The GAN on the line: its quadrature against closed forms, and that a game comes near the end."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import integrate, stats

from experiments import toy_gan
from jaxgen.models import gan
from jaxgen.nets import MLPCritic, MLPGenerator
from jaxgen.train import Game, init_player
from jaxgen.workbench.run_directory import RunDirectory

X = np.asarray(toy_gan.centers())
WIDTH = X[1] - X[0]


def test_the_density_of_an_affine_generator_is_its_gaussian():
    model = gan(MLPGenerator((), (1,)), MLPCritic(()), latent_size=1, x_shape=(1,))
    generator, critic = model.init(jax.random.key(0))
    generator = {"params": {"Dense_0": {"kernel": jnp.full((1, 1), 0.7), "bias": jnp.ones(1)}}}
    game = Game(*(init_player(v, optax.sgd(0.1)) for v in (generator, critic)))
    frame = toy_gan.look(model, game)
    cdf = stats.norm(1.0, 0.7).cdf
    expected = (cdf(X + WIDTH / 2) - cdf(X - WIDTH / 2)) / WIDTH
    np.testing.assert_allclose(frame.density, expected, atol=2e-3)
    outputs, _ = model.criticize(critic, jnp.asarray(X)[:, None], train=False)
    np.testing.assert_array_equal(frame.outputs, outputs)


def test_values_against_scipys_quadrature():
    p, q = stats.norm(1.0, 0.6), stats.norm(-0.3, 0.9)
    outputs = 0.8 * X - 0.1

    def integral(f):
        return integrate.quad(f, -5, 5, limit=200, points=[0.0, 1.0])[0]

    def kl(a):
        return integral(lambda x: a.pdf(x) * np.log(2 * a.pdf(x) / (p.pdf(x) + q.pdf(x)) + 1e-300))

    jsd = (kl(p) + kl(q)) / 2
    value = integral(
        lambda x: (
            -p.pdf(x) * np.logaddexp(0, 0.1 - 0.8 * x) - q.pdf(x) * np.logaddexp(0, 0.8 * x - 0.1)
        )
    )
    frame = toy_gan.Frame(density=jnp.asarray(q.pdf(X)), outputs=jnp.asarray(outputs))
    found = toy_gan.values(jnp.asarray(p.pdf(X)), frame)
    np.testing.assert_allclose(found["jsd"], jsd, rtol=1e-3)
    np.testing.assert_allclose(found["best_value"], 2 * jsd - np.log(4), rtol=1e-3)
    np.testing.assert_allclose(found["value"], value, rtol=1e-3)
    np.testing.assert_allclose(found["mean"], -0.3, atol=1e-3)
    assert found["value"] < found["best_value"]
    # The optimal critic attains the best value.
    best = frame.replace(outputs=jnp.asarray(p.logpdf(X) - q.logpdf(X)))
    np.testing.assert_allclose(
        toy_gan.values(jnp.asarray(p.pdf(X)), best)["value"], found["best_value"], rtol=1e-4
    )
    # No density at all somewhere is no NaN.
    disjoint = frame.replace(density=jnp.where(X < -1, 1 / 4, 0.0))
    apart = toy_gan.values(jnp.asarray(np.where(X > 1, 1 / 4, 0.0)), disjoint)
    np.testing.assert_allclose(apart["jsd"], np.log(2), rtol=0.02)


def test_a_short_game_comes_near_minus_log_4(tmp_path):
    config = toy_gan.Config(epochs=6, run_dir=str(tmp_path / "run"))
    result = toy_gan.run(config)
    records = RunDirectory(tmp_path / "run").metrics()
    assert result["jsd"] < 0.005 < records[0]["validation_jsd"]
    np.testing.assert_allclose(result["value"], -np.log(4), atol=0.01)
    assert result["value"] <= result["best_value"] + 1e-3
    assert records[-1]["validation_jsd"] == pytest.approx(float(result["jsd"]), abs=1e-6)
