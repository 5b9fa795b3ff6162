"""Adversaries, verdicts on them and Gaussians of images, each against numbers found by hand."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import workbench as wb
from jaxgen.data import from_arrays
from jaxgen.metrics import Interval
from jaxgen.models import Density, uniform_levels
from jaxgen.workbench.sample_scores import SampleScores
from jaxgen.workbench.summary import Mean

K = np.random.default_rng(0).integers(0, 3, size=(40, 2, 1, 1))
IMAGES = from_arrays(np.rint(127.5 * K).astype(np.uint8), levels=3)


def scores(good, p_value=0.5):
    """Of a model that is better by every number, the larger `good`."""
    better, worse = Interval(good, good, good), -good
    return SampleScores(
        *(Mean(good, 0.0), p_value, better, p_value, Mean(worse, 0.0), worse),
        *(better, better, good, better, 0.5, p_value),
    )


def test_a_number_is_fooled_by_what_it_sets_above_the_middle_model():
    nats = {
        name: np.full(2, float(value)) for name, value in zip("abcx", (1, 2, 9, 3), strict=True)
    }
    nats["none"] = np.full(2, np.nan)
    of = {"a": scores(1.0), "b": scores(2.0), "c": scores(9.0)}
    found = wb.verdicts(list("abc"), nats, {**of, "x": scores(3.0), "none": scores(1.5, 0.001)})
    assert all(verdict["x"] for verdict in found.values())
    assert not any(verdict["none"] for verdict in found.values())
    assert set(found["likelihood"]) == {"x", "none"}
    assert wb.verdict_table(found).rows[0] == ["likelihood", "fooled", "sees it"]


def test_adversaries_have_the_likelihoods_that_they_are_made_for():
    model = uniform_levels((2, 1, 1), 3)
    spoiled = wb.adversaries(IMAGES, model, {}, 2)
    image, key = jnp.asarray(IMAGES.images[0]), jax.random.key(0)

    def nats(name):
        of, params = spoiled[name]
        return float(of.log_prob(params, jax.random.clone(key), image))

    share = np.mean((K[0] == K).all(axis=(1, 2, 3)))
    np.testing.assert_allclose(nats("memorizer"), np.log(share), rtol=1e-5)
    for name in ("noise", "0.01 of it in noise"):
        np.testing.assert_allclose(nats(name), -2 * np.log(3), rtol=1e-5)
    copies, params = spoiled["noisy copies"]
    np.testing.assert_allclose(params["points"], (K + 0.5) / 3, rtol=1e-6)
    keys = jax.random.split(jax.random.key(1), 50)
    drawn = np.asarray(jax.vmap(copies.draw, (None, 0))(params, keys))
    distances = np.abs(drawn[:, None] - K[None] / 2).max(axis=(2, 3, 4))
    # Noise of a seventh of a level's width, about its middle: rounded down, it is the image.
    assert np.mean(distances.min(axis=1) < 1e-5) == 1


def test_a_draw_of_dequantized_pixels_is_rounded_down_to_its_level():
    for value, level in ((-0.1, 0), (0.2, 0), (0.34, 1), (0.6, 1), (0.67, 2), (1.2, 2)):
        point = distrax.Independent(distrax.Normal(jnp.full((2, 1, 1), value), 1e-6), 3)
        density = Density(lambda key, context: {}, lambda params, context, p=point: p)
        drawn = wb.dequantized_model(density, IMAGES).draw({}, jax.random.key(0))
        np.testing.assert_allclose(drawn, level / 2)


def test_one_gaussian_is_fitted_in_closed_form_and_no_narrower_than_a_level():
    same = from_arrays(np.full((300, 2, 1, 1), 128, np.uint8), levels=3)
    for images, k in ((IMAGES, K), (same, np.ones((300, 2, 1, 1)))):
        params = wb.fit_gaussians(jax.random.key(0), images, 1)
        # Noise of variance 1/(12 · 9) is added; of few images, some hundredths off.
        x = (k.reshape(len(k), -1) + 0.5) / 3
        mean, covariance = (np.asarray(of[0]) for of in params.components)
        np.testing.assert_allclose(mean, x.mean(axis=0), atol=0.08)
        expected = np.cov(x.T, bias=True) + np.eye(2) / 108
        np.testing.assert_allclose(covariance, expected, atol=0.05 if k is K else 0.003)
        assert np.linalg.eigvalsh(covariance).min() > 0.999 / 108
    assert wb.gaussian_model(IMAGES, 2).likelihood == "bound"
