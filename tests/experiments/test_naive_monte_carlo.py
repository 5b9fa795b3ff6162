"""The recipe of naive Monte Carlo: what it measures is what theory says."""

import numpy as np
import pytest


@pytest.fixture
def result(tiny):
    return tiny("naive_monte_carlo").result


def test_the_bias_begins_at_the_divergence_and_ends_as_the_variance_over_2k(result):
    """Within five standard errors; to first order in Var(w) / K, hence the third of slack."""
    for name in ("prior", "wide"):
        found = {key: np.array(values) for key, values in result[name].items()}
        noise = 5 * found["bias_stderr"]
        assert np.all(abs(found["bias"][:, 0] + found["kl"]) < noise[:, 0])
        expected = found["relative_variance"][0] / 2 / 64
        assert abs(found["bias"][0, 1] + expected) < noise[0, 1] + expected / 3
        assert found["ess"][:, 0] == pytest.approx(1)
    # The wider q's variance does not depend on x, so the mean over x says what it should be.
    share = result["wide"]["ess"][0][1] / 64
    assert share == pytest.approx(1 / (1 + result["wide"]["relative_variance"][0]), rel=0.1)
    # Naive Monte Carlo in forty dimensions against the better q.
    assert result["prior"]["bias"][1][1] < 5 * result["wide"]["bias"][1][1] < 0
    assert result["prior"]["ess"][1][1] < 2 < result["wide"]["ess"][1][1]


def test_from_the_posterior_one_sample_is_enough(result):
    found = result["posterior"]
    np.testing.assert_allclose(found["bias"], 0, atol=1e-4)
    np.testing.assert_allclose(found["variance"], 0, atol=1e-8)
    np.testing.assert_allclose(found["ess"], np.tile([1, 64], (2, 1)), rtol=1e-4)
    np.testing.assert_allclose(found["log_second_moment"], 0, atol=1e-4)
