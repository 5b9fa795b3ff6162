"""The ring recipe: what it reports, and every method's update."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments import ring
from jaxgen.train import data_mesh, init_game, shard


def test_a_run_reports_every_seed_beside_the_data(tiny):
    run = tiny("ring")
    result = run.result
    assert set(result["of_seeds"]) == {
        *("covered", "entropy", "reverse_kl", "high_quality", "duplicates"),
        *("told_apart", "p_value"),
    }
    for name, values in result["of_seeds"].items():
        assert len(values) == 2
        np.testing.assert_allclose(result["means"][name], np.mean(values), rtol=1e-5)
    # The 95% interval of two: 12.706 standard errors.
    entropies = result["of_seeds"]["entropy"]
    half = 12.7062 * np.std(entropies, ddof=1) / np.sqrt(2)
    np.testing.assert_allclose(result["half_widths"]["entropy"], half, rtol=1e-3)
    assert result["modes"] == result["of_reals"]["covered"] == 8
    assert result["of_reals"]["entropy"] > 0.99
    names = {"train_critic_accuracy", "validation_entropy", "validation_duplicates"}
    assert names <= set(run.records()[0])


@pytest.mark.parametrize("devices", [1, 8])
@pytest.mark.parametrize("name", ring.METHODS)
def test_every_methods_update_keeps_the_game_and_says_how_it_goes(name, devices):
    config = ring.Config(method=name, batch_size=32, latent_size=4, devices=devices)
    method = ring.METHODS[name]
    model = ring.make_model(config, method)
    optimizer = optax.adam(1e-4)
    update = ring.make_update(config, method, model, optimizer, optimizer)
    if devices > 1:
        update = shard(update, data_mesh(devices))

    game = jax.eval_shape(
        lambda key: init_game(key, model, optimizer, optimizer), jax.random.key(0)
    )
    reals = jax.ShapeDtypeStruct((32 * method.critic_steps, 2), jnp.float32)
    after, info = jax.eval_shape(update, game, jax.random.key(1), reals)
    assert jax.tree.structure(after) == jax.tree.structure(game)
    assert {"critic_accuracy", "critic_loss", "generator_loss", "all_finite"} <= set(info)
    assert ("critic_penalty" in info) == (name == "wasserstein")
