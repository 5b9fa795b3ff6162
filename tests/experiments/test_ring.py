"""The ring recipe: what it leaves, that it resumes exactly, and every method's update."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from recipes import compilations, run_interrupted, run_recipe

from experiments import ring
from jaxgen.train import init_game
from jaxgen.workbench.run_directory import RunDirectory

TINY = "--unroll 1 --epochs 3 --steps-per-epoch 2 --batch-size 16 --latent-size 4 --seeds 2"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("ring") / "run"
    # debug_key_reuse takes vmap's transpose of a scan's keys for their use.
    with jax.debug_key_reuse(False), compilations() as compiled:
        assert run_recipe("ring", TINY, path) == 0
    assert compiled["one_epoch"] == 1
    return path


@pytest.mark.usefixtures("_keys_may_be_transposed")
def test_a_run_reports_every_seed_beside_the_data_and_draws_the_strip(whole):
    result = json.loads((whole / "result.json").read_text())
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
    records = RunDirectory(whole).metrics()
    assert [r["epoch"] for r in records] == [1, 2, 3]
    assert {"train_critic_accuracy", "validation_entropy", "validation_duplicates"} <= set(
        records[0]
    )
    pictures = {p.name for p in (whole / "pictures").iterdir()}
    assert pictures == {"strip.png", "seeds.png", "coverage.png"}


@pytest.fixture
def _keys_may_be_transposed(_no_key_is_used_twice):
    with jax.debug_key_reuse(False):
        yield


@pytest.mark.usefixtures("_keys_may_be_transposed")
def test_an_interrupted_run_resumes_to_the_same_end(whole, tmp_path, capsys):
    assert run_interrupted("ring", TINY, tmp_path / "run", epoch=1) == 143
    assert "--resume" in capsys.readouterr().err
    assert run_recipe("ring", TINY + " --resume", tmp_path / "run") == 0
    ends = [json.loads((p / "result.json").read_text()) for p in (whole, tmp_path / "run")]
    assert ends[0]["of_seeds"] == ends[1]["of_seeds"]


@pytest.mark.parametrize("devices", [1, 8])
@pytest.mark.parametrize("name", ring.METHODS)
def test_every_methods_update_keeps_the_game_and_says_how_it_goes(name, devices):
    config = ring.Config(method=name, batch_size=32, latent_size=4, devices=devices)
    method = ring.METHODS[name]
    model = ring.make_model(config, method)
    optimizer = optax.adam(1e-4)
    update = ring.make_update(config, method, model, optimizer, optimizer)

    game = jax.eval_shape(
        lambda key: init_game(key, model, optimizer, optimizer), jax.random.key(0)
    )
    reals = jax.ShapeDtypeStruct((32 * method.critic_steps, 2), jnp.float32)
    after, info = jax.eval_shape(update, game, jax.random.key(1), reals)
    assert jax.tree.structure(after) == jax.tree.structure(game)
    assert {"critic_accuracy", "critic_loss", "generator_loss", "all_finite"} <= set(info)
    assert ("critic_penalty" in info) == (name == "wasserstein")


def test_the_report_of_the_data_is_perfect_and_of_a_point_is_a_collapse(key):
    target = ring.TARGETS["grid"]()
    data, reals = target.sample(seed=key, sample_shape=(2, 2500))
    point = jnp.broadcast_to(target.modes[7], (2500, 2))
    each = ring.judge(target, jnp.stack([data, point]), reals)
    assert each["covered"].tolist() == [25, 1]
    assert each["entropy"][0] > 0.99
    assert each["entropy"][1] == 0
    assert each["duplicates"][0] < 0.05
    assert each["duplicates"][1] == 1
    assert each["p_value"][0] > 1e-4 > 1e-9 > each["p_value"][1]
    assert abs(each["told_apart"][0] - 0.5) < 0.06 < each["told_apart"][1] - 0.9


def test_bad_arguments_leave_one_line_and_no_run(tmp_path, capsys):
    for flags, message in (
        ("--seeds 0", "seeds: got 0, expected an integer >= 1"),
        ("--method packed --packing 3", "packing: got 3, expected a divisor"),
        ("--patience 0", "patience: got 0"),
        ("--critic-learning-rate 0", "critic_learning_rate: got 0.0, expected a positive"),
    ):
        assert run_recipe("ring", flags, tmp_path / "run") == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "run").exists()
