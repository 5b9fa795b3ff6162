"""The WGAN recipe: what it reports, its rank correlation, and what bounds a critic."""

import numpy as np
import optax
import pytest

from experiments import wgan
from jaxgen.train import init_state


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
    assert wgan.METHODS["penalty"].terms(far, -far) == 100


def test_clipping_keeps_every_weight_within_its_bound():
    optimizer = wgan.clipped_rmsprop(wgan.Config(clip=0.05, learning_rate=1.0))
    state = init_state({"w": np.array([0.3, -0.01], np.float32)}, optimizer)
    updates, _ = optimizer.update({"w": np.ones(2, np.float32)}, state.opt_state, state.params)
    weights = optax.apply_updates(state.params, updates)["w"]
    np.testing.assert_allclose(weights, [-0.05, -0.05], rtol=1e-6)


def test_a_run_reports_every_game(tiny):
    run = tiny("wgan")
    assert list(run.result["games"]) == ["clipping", "penalty", "gan"]
    assert 0 < run.result["distance_of_reals"] < 0.5
    for name, of in run.result["games"].items():
        records = run.records(name)
        assert ("train_critic_penalty" in records[0]) == (name == "penalty")
        for number in ("distance", "estimate", "slope", "covered", "entropy"):
            assert of[number] == records[-1][f"validation_{number}"]
        assert of["distance"] > run.result["distance_of_reals"]
