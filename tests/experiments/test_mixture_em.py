"""The EM recipe: its numbers are right."""

import json

import jax
import numpy as np
import pytest
from recipes import run_recipe
from sklearn.mixture import GaussianMixture

from experiments import mixture_em


def test_a_run_on_the_ring_climbs_past_the_truth(tiny):
    run = tiny("mixture_em")
    result, records = run.result, run.records()
    assert [record["epoch"] for record in records] == list(range(1, 61))
    climb = np.array([[r["after_e_step"], r["after_m_step"]] for r in records]).ravel()
    assert np.diff(climb).min() > -1e-12
    assert result["largest_fall"] < 1e-12
    assert result["train_log_likelihood"] == pytest.approx(climb[-1], abs=1e-6)
    # The maximum of the likelihood is above the truth on its own points, by about parameters / 2n.
    excess = result["train_log_likelihood"] - result["train_log_likelihood_of_truth"]
    assert 0 < excess < 0.03
    assert abs(result["test_log_likelihood"] - result["test_log_likelihood_of_truth"]) < 0.03
    starts = result["log_likelihood_of_starts"]
    assert starts == sorted(starts, reverse=True)
    assert len(starts) == 6
    for expected in ("of the true mixture", "largest fall"):
        assert expected in run.printed


def test_digits_with_diagonal_covariance_agree_with_scikit_learn(tmp_path, x64):
    path = tmp_path / "run"
    flags = "--data digits --covariance diagonal --components 2 --steps 200 --starts 10"
    assert run_recipe("mixture_em", flags, path) == 0
    result = json.loads((path / "result.json").read_text())
    xs, test = (np.asarray(points) for points in mixture_em.project_digits(None))
    peer = GaussianMixture(
        2, covariance_type="diag", reg_covar=0.0, tol=1e-10, max_iter=2000, n_init=3, random_state=0
    ).fit(xs)
    assert result["train_log_likelihood"] == pytest.approx(peer.score(xs), abs=1e-4)
    assert result["test_log_likelihood"] == pytest.approx(peer.score(test), abs=1e-3)


def test_one_step_of_one_component_is_a_gaussian_fit(tmp_path, x64):
    path = tmp_path / "run"
    assert run_recipe("mixture_em", "--components 1 --steps 1 --starts 1", path) == 0
    result = json.loads((path / "result.json").read_text())
    xs, _ = mixture_em.sample_ring(jax.random.split(jax.random.key(0))[0])
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * np.cov(xs.T, bias=True))[1]
    assert result["train_log_likelihood"] == pytest.approx(-entropy, abs=1e-9)
    assert result["weights"] == [1.0]
    assert result["starts_at_the_best"] == 1
