"""The f-GAN recipe: its quadrature against the paper and scipy, and that a fit resumes exactly."""

import json
import math

import numpy as np
import pytest
from recipes import compilations, run_interrupted, run_recipe
from scipy import integrate, stats

from experiments import f_gan
from jaxgen.divergences import DIVERGENCES
from jaxgen.workbench.run_directory import RunDirectory

TINY = "--divergences kl total_variation --epochs 3 --steps-per-epoch 10 --batch-size 64"


@pytest.mark.parametrize("name", f_gan.PUBLISHED)
def test_the_best_fits_are_the_published_ones(name):
    np.testing.assert_allclose(f_gan.optimum(name), f_gan.PUBLISHED[name], atol=6e-5)


def density(x):
    return sum(
        w * stats.norm.pdf(x, m, s) for w, m, s in ((0.33, -1.0, 0.065**0.5), (0.67, 2.0, 2.0**0.5))
    )


def test_the_quadrature_is_scipys():
    def against(f, sd):
        q = stats.norm(0.5, sd).pdf
        options = {"points": [-1.5, -1.0, -0.5, 0.5, 2.0], "limit": 400}
        return integrate.quad(lambda x: q(x) * f(density(x) / q(x)), -12, 14, **options)[0]

    for name, f in (
        ("kl", lambda u: u * np.log(u)),
        ("pearson", lambda u: (u - 1) ** 2),
        ("neyman", lambda u: (1 - u) ** 2 / u),
        ("squared_hellinger", lambda u: (np.sqrt(u) - 1) ** 2),
        ("total_variation", lambda u: abs(u - 1) / 2),
    ):
        expected = against(f, 1.6)
        assert f_gan.exact(name, 0.5, 1.6) == pytest.approx(expected, rel=1e-4), name


def test_what_is_infinite_is_said_and_what_is_nearly_so_is_large():
    # The integral of p^a q^(1 - a) in the tails, where the wide component is all of p.
    for name, inside, outside in (
        ("pearson", 1.02, 1.0),
        ("neyman", 1.98, 2.0),
        ("alpha", 0.86, 0.8),
    ):
        assert f_gan.exact(name, 2.0, outside) == math.inf
        near = f_gan.exact(name, 2.0, inside)
        assert math.isfinite(near)
        assert near > f_gan.optimum(name).divergence
    assert f_gan.infinite_where("pearson") == "sd <= 1"
    assert f_gan.infinite_where("neyman") == "sd >= 2"
    for name in set(DIVERGENCES) - set(f_gan.ORDERS):
        assert f_gan.infinite_where(name) == "nowhere"
        for sd in (0.6, 4.0):
            assert math.isfinite(f_gan.exact(name, 0.0, sd)), name


@pytest.mark.parametrize("name", DIVERGENCES)
def test_the_bound_is_tight_at_the_best_critic_alone(name):
    mean, sd = 0.8, 1.7
    ratio = f_gan.log_data() - stats.norm.logpdf(f_gan.GRID, mean, sd)
    truth = f_gan.exact(name, mean, sd)
    best = 2 * np.expm1(ratio) if name == "pearson" else ratio
    assert f_gan.bound(name, mean, sd, best) == pytest.approx(truth, abs=1e-6)
    wrong = best + 0.3 * np.sin(2 * f_gan.GRID)
    assert f_gan.bound(name, mean, sd, wrong) < truth - 1e-3


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("f_gan") / "run"
    with compilations() as compiled:
        assert run_recipe("f_gan", TINY, path) == 0
    assert compiled["one_epoch"] == 2, "once for each divergence"
    return path


def test_a_run_reports_every_divergence_beside_its_best(whole):
    result = json.loads((whole / "result.json").read_text())
    assert list(result) == ["kl", "total_variation"]
    for name, of in result.items():
        assert of["bound"] < of["divergence"]
        assert of["best"]["divergence"] <= of["divergence"]
        assert of["judged_by"][name] == of["divergence"]
        records = RunDirectory(whole / name).metrics()
        assert [r["epoch"] for r in records] == [1, 2, 3]
        assert records[-1]["validation_mean"] == of["mean"]
    pictures = {p.name for p in (whole / "pictures").iterdir()}
    assert pictures == {"densities.png", "bounds.png", "judged_by.png"}


def test_an_interrupted_run_resumes_to_the_same_end(whole, tmp_path, capsys):
    assert run_interrupted("f_gan", TINY, tmp_path / "run", epoch=1, part="total_variation") == 143
    assert "--resume" in capsys.readouterr().err
    assert run_recipe("f_gan", TINY + " --resume", tmp_path / "run") == 0
    ends = [json.loads((p / "result.json").read_text()) for p in (whole, tmp_path / "run")]
    for of in (of for end in ends for of in end.values()):
        del of["seconds"]
    assert ends[0] == ends[1]


def test_bad_arguments_leave_one_line_and_no_run(tmp_path, capsys):
    for flags, message in (
        ("--divergences kl wasserstein", "divergences: got 'wasserstein', expected one of"),
        ("--divergences kl kl", "divergences: got ('kl', 'kl')"),
        ("--critic-steps 0", "critic_steps: got 0, expected an integer >= 1"),
    ):
        assert run_recipe("f_gan", flags, tmp_path / "run") == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "run").exists()
