"""Collapse on the plane, where the answer is known; several games in one update."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.workbench import TARGETS, collapse, coverage, mean_over_seeds, side_by_side


def test_the_report_of_the_data_is_perfect_and_of_a_point_is_a_collapse(key):
    target = TARGETS["grid"]()
    data, reals = target.sample(seed=key, sample_shape=(2, 2500))
    point = jnp.broadcast_to(target.modes[7], (2500, 2))
    each = collapse(target, jnp.stack([data, point]), reals)
    assert each["covered"].tolist() == [25, 1]
    assert each["entropy"][0] > 0.99
    assert each["entropy"][1] == 0
    assert each["duplicates"][0] < 0.05
    assert each["duplicates"][1] == 1
    assert each["p_value"][0] > 1e-4 > 1e-9 > each["p_value"][1]
    assert abs(each["told_apart"][0] - 0.5) < 0.06 < each["told_apart"][1] - 0.9
    for name, value in coverage(target, data).items():
        assert float(value) == pytest.approx(float(each[name][0]), rel=1e-6)


def test_states_side_by_side_are_those_of_each_alone(key):
    def update(state, key, batch):
        after = state + jax.random.normal(key) * batch
        return after, {"loss": after, "all_finite": jnp.isfinite(after)}

    states = jnp.array([1.0, 2.0, jnp.inf])
    after, info = side_by_side(update)(states, key, 3.0)
    alone = [update(state, jax.random.clone(key), 3.0)[0] for state in states]
    np.testing.assert_array_equal(after, alone)
    assert not info["all_finite"]
    _, info = side_by_side(update)(states[:2], jax.random.clone(key), 3.0)
    assert info["loss"] == pytest.approx(np.mean(alone[:2]))
    assert info["all_finite"]


def test_the_interval_of_seeds_is_students():
    found = mean_over_seeds(np.array([1.0, 2.0, 4.0]))
    half = 4.30265 * np.std([1, 2, 4], ddof=1) / np.sqrt(3)
    assert (found.value, found.half_width) == pytest.approx((7 / 3, half))
    assert mean_over_seeds(np.array([5.0])) == (5.0, None)
