"""The recipe of naive Monte Carlo: its closed forms, what it measures, and what it refuses."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from recipes import run_recipe
from scipy import integrate, stats

from experiments.naive_monte_carlo import Config, log_second_moment, make_gaussians

X = jnp.array([0.7])


def test_the_second_moment_of_the_weights_is_that_of_quadrature(x64):
    qs = make_gaussians(Config(noise=0.6), X)
    prior, wide, posterior = (stats.norm(float(q.mean()[0]), float(q.stddev()[0])) for q in qs)
    unnormalized = integrate.quad(lambda z: prior.pdf(z) * stats.norm(z, 0.6).pdf(0.7), -9, 9)[0]
    assert posterior.pdf(0.2) * unnormalized == pytest.approx(
        prior.pdf(0.2) * stats.norm(0.2, 0.6).pdf(0.7), rel=1e-6
    )
    for q, density in zip(qs, (prior, wide, posterior), strict=True):
        moment = integrate.quad(lambda z, p=density: posterior.pdf(z) ** 2 / p.pdf(z), -9, 9)[0]
        assert np.exp(log_second_moment(q, qs.posterior)) == pytest.approx(moment, rel=1e-6)


def test_of_too_thin_a_q_the_variance_is_infinite():
    qs = make_gaussians(Config(width=0.7), X)
    assert log_second_moment(qs.wide, qs.posterior) == jnp.inf
    assert jnp.isfinite(log_second_moment(qs.prior, qs.posterior))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    flags = "--dimensions 2 40 --samples 1 64 --repeats 20 --datapoints 100 --noise 1"
    assert run_recipe("naive_monte_carlo", flags, path) == 0
    return path


def test_the_bias_begins_at_the_divergence_and_ends_as_the_variance_over_2k(path):
    """Within five standard errors; to first order in Var(w) / K, hence the third of slack."""
    result = json.loads((path / "result.json").read_text())
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


def test_from_the_posterior_one_sample_is_enough(path):
    found = json.loads((path / "result.json").read_text())["posterior"]
    np.testing.assert_allclose(found["bias"], 0, atol=1e-4)
    np.testing.assert_allclose(found["variance"], 0, atol=1e-8)
    np.testing.assert_allclose(found["ess"], np.tile([1, 64], (2, 1)), rtol=1e-4)
    np.testing.assert_allclose(found["log_second_moment"], 0, atol=1e-4)


def test_it_leaves_its_pictures(path):
    drawn = {file.name for file in (path / "pictures").iterdir()}
    assert drawn == {"bias_by_dimension.png", "ess_by_dimension.png", "bias_by_samples.png"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--dimensions 4 0", "dimensions: got 0, expected an integer >= 1"),
        ("--samples 8 2", "samples: got (8, 2), expected one number or more, rising"),
        ("--repeats 1", "repeats: got 1, expected an integer >= 2"),
        ("--noise 0", "noise: got 0.0, expected a finite number > 0"),
        ("--width inf", "width: got inf, expected a finite number > 0"),
    ],
)
def test_a_bad_flag_is_named_and_nothing_written(flags, message, tmp_path, capsys):
    assert run_recipe("naive_monte_carlo", flags, tmp_path / "run") == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert not (tmp_path / "run").exists()
