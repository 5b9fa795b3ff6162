"""The WGAN recipe: its exact distance against scipy, what it leaves, that it resumes exactly."""

import itertools
import json

import numpy as np
import optax
import pytest
from recipes import compilations, run_interrupted, run_recipe
from scipy import stats

from experiments import wgan
from jaxgen.train import init_state
from jaxgen.workbench.run_directory import RunDirectory

TINY = "--epochs 3 --steps-per-epoch 2 --batch-size 16 --width 8 --critic-steps 2 --alone-steps 5"


def test_the_distance_is_the_cheapest_matching():
    rng = np.random.default_rng(0)
    xs, ys = rng.normal(size=(2, 5, 2))
    best = min(
        np.linalg.norm(xs - ys[list(order)], axis=1).mean()
        for order in itertools.permutations(range(5))
    )
    np.testing.assert_allclose(wgan.transport(xs, ys), best)
    # A shift moves everything by its length; on a line it is scipy's.
    np.testing.assert_allclose(wgan.transport(xs, xs + np.array([3.0, 4.0])), 5.0)
    flat = [np.column_stack([side[:, 0], np.zeros(5)]) for side in (xs, ys)]
    expected = stats.wasserstein_distance(xs[:, 0], ys[:, 0])
    np.testing.assert_allclose(wgan.transport(*flat), expected)


def test_the_rank_correlation_is_that_of_the_moving_generator():
    config = wgan.Config(steps_per_epoch=wgan.WAIT)
    estimates, distances = (0.0, 1.0, 4.0, 9.0), (9.0, 1.0, 2.0, 3.0)
    history = [
        {"epoch": i + 1, "validation_estimate": e, "validation_distance": d}
        for i, (e, d) in enumerate(zip(estimates, distances, strict=True))
    ]
    assert wgan.rank_correlation(config, history) == pytest.approx(1.0)
    assert wgan.rank_correlation(config, history[:3]) is None


def test_estimates_of_a_critic_that_is_right():
    # 2 JSD: none between equals, log 4 apart.
    zero, far = np.zeros(()), np.array(50.0)
    np.testing.assert_allclose(wgan.twice_jsd(zero, zero), 0.0, atol=1e-6)
    np.testing.assert_allclose(wgan.twice_jsd(far, -far), np.log(4), rtol=1e-6)
    assert wgan.difference(far, -far) == 100


def test_clipping_keeps_every_weight_within_its_bound():
    optimizer = wgan.clipped_rmsprop(wgan.Config(clip=0.05, learning_rate=1.0))
    state = init_state({"w": np.array([0.3, -0.01], np.float32)}, optimizer)
    updates, _ = optimizer.update({"w": np.ones(2, np.float32)}, state.opt_state, state.params)
    weights = optax.apply_updates(state.params, updates)["w"]
    np.testing.assert_allclose(weights, [-0.05, -0.05], rtol=1e-6)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("wgan") / "run"
    with compilations() as compiled:
        assert run_recipe("wgan", TINY, path) == 0
    assert compiled["one_epoch"] == 3, "once for each game"
    return path


def test_a_run_reports_every_game_and_draws_the_level_sets(whole):
    result = json.loads((whole / "result.json").read_text())
    assert list(result["games"]) == ["clipping", "penalty", "gan"]
    assert 0 < result["distance_of_reals"] < 0.5
    for name, of in result["games"].items():
        records = RunDirectory(whole / name).metrics()
        assert [r["epoch"] for r in records] == [1, 2, 3]
        assert ("train_critic_penalty" in records[0]) == (name == "penalty")
        assert of["distance"] == records[-1]["validation_distance"] > result["distance_of_reals"]
    pictures = {p.name for p in (whole / "pictures").iterdir()}
    assert pictures == {"estimates.png", "samples.png", "surfaces.png"}


def test_an_interrupted_run_resumes_to_the_same_end(whole, tmp_path, capsys):
    assert run_interrupted("wgan", TINY, tmp_path / "run", epoch=1, part="gan") == 143
    assert "--resume" in capsys.readouterr().err
    assert run_recipe("wgan", TINY + " --resume", tmp_path / "run") == 0
    ends = [json.loads((p / "result.json").read_text()) for p in (whole, tmp_path / "run")]
    for of in (of for end in ends for of in end["games"].values()):
        del of["seconds"]
    assert ends[0] == ends[1]


def test_bad_arguments_leave_one_line_and_no_run(tmp_path, capsys):
    for flags, message in (
        ("--methods spectral", "methods: got 'spectral', expected one of"),
        ("--methods gan gan", "methods: got ('gan', 'gan')"),
        ("--clip 0", "clip: got 0.0, expected a positive"),
        ("--width 0", "width: got 0, expected an integer >= 1"),
    ):
        assert run_recipe("wgan", flags, tmp_path / "run") == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "run").exists()
