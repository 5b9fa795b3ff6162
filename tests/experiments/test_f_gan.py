"""The f-GAN recipe: that its best fits are the published ones, and what it reports beside them."""

import math

import numpy as np
import pytest

from experiments import f_gan
from jaxgen.divergences import DIVERGENCES


@pytest.mark.parametrize("name", f_gan.PUBLISHED)
def test_the_best_fits_are_the_published_ones(name):
    best = f_gan.DATA.closest(DIVERGENCES[name], mean=0.0, sd=1.5)
    np.testing.assert_allclose(best, f_gan.PUBLISHED[name], atol=6e-5)


def test_every_divergence_is_finite_before_training():
    for divergence in DIVERGENCES.values():
        assert math.isfinite(f_gan.DATA.divergence(divergence, *f_gan.START))


def test_a_run_reports_every_divergence_beside_its_best(tiny):
    run = tiny("f_gan")
    names = ["kl", "total_variation"]
    assert [name for name in run.result if name in DIVERGENCES] == names
    for name in names:
        of = run.result[name]
        assert of["bound"] < of["divergence"]
        assert of["best"]["divergence"] <= of["divergence"]
        assert of["judged_by"][name] == of["divergence"]
        assert run.records(name)[-1]["validation_mean"] == of["mean"]
