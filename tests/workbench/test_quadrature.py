"""Expectations under mixtures in the plane, against closed forms."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.distributions import IsotropicMixture, grid, ring
from jaxgen.workbench import expectation


@pytest.mark.parametrize("target", [ring(), grid()], ids=["ring", "grid"])
def test_the_entropy_of_modes_far_apart_is_the_closed_form(target):
    count, scale = len(target.modes), float(target.scales[0])
    expected = np.log(count) + 1 + np.log(2 * np.pi * scale**2)
    found = expectation(target, lambda x: -target.log_prob(x))
    assert found == pytest.approx(expected, abs=1e-3)


def test_moments_of_overlapping_modes_and_a_corner():
    p = IsotropicMixture([[0.0, 1.0], [0.5, 0.0]], [1.0, 0.5], [3.0, 1.0])
    assert expectation(p, lambda x: jnp.ones(len(x))) == pytest.approx(1, abs=1e-5)
    second = 0.75 * 1 + 0.25 * (0.5**2 + 0.5**2)
    assert expectation(p, lambda x: x[:, 0] ** 2) == pytest.approx(second, abs=1e-4)
    one = IsotropicMixture([[0.0, 0.0]], 1.0)
    corner = expectation(one, lambda x: jnp.abs(x[:, 0] - 0.3))
    density, below = np.exp(-0.045) / np.sqrt(2 * np.pi), 0.6179114
    assert corner == pytest.approx(2 * density + 0.3 * (2 * below - 1), abs=1e-3)
