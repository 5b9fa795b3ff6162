"""Models of images by one measure: nats of the levels, and scores of samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import workbench as wb
from jaxgen.data import from_arrays
from jaxgen.models import memorizer, standard_normal, uniform_levels

LEVELS = 5
K = np.random.default_rng(0).integers(0, LEVELS, size=(60, 2, 2, 1))
BYTES = np.rint(255 * K / (LEVELS - 1)).astype(np.uint8)


def uniform_density(shape):
    """The density of dequantized pixels that says of all the same: one."""
    import distrax

    p = distrax.Independent(distrax.Uniform(jnp.zeros(shape), 1.0), len(shape))
    return standard_normal(1)._replace(distribution=lambda params, context: p)


def test_noise_costs_log_levels_a_pixel_by_mass_and_by_density():
    images = from_arrays(BYTES, levels=LEVELS)
    expected = -4 * np.log(LEVELS)
    for model in (
        wb.levels_model(uniform_levels((2, 2, 1), LEVELS), images),
        wb.dequantized_model(uniform_density((2, 2, 1)), images),
    ):
        found = model.log_prob({}, jax.random.key(0), jnp.asarray(BYTES[0]))
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        draws = jax.vmap(model.draw, (None, 0))({}, jax.random.split(jax.random.key(1), 200))
        k = np.asarray(draws) * (LEVELS - 1)
        np.testing.assert_allclose(k, np.rint(k), atol=1e-5)
        assert set(np.unique(np.rint(k))) == set(range(LEVELS))


def test_what_trains_a_model_of_levels_is_not_what_measures_it():
    images, image = from_arrays(BYTES, levels=LEVELS), jnp.asarray(BYTES[0])
    cheap = lambda params, key, x: 3 * jnp.sum(x)  # noqa: E731
    model = wb.levels_model(uniform_levels((2, 2, 1), LEVELS), images, climbed=cheap)
    loss, info = model.loss({}, jax.random.key(0), image)
    np.testing.assert_allclose(loss, -3 * np.sum(BYTES[0] / 255.0), rtol=1e-5)
    assert info["nll"] == loss
    exact = model.log_prob({}, jax.random.key(0), image)
    np.testing.assert_allclose(exact, -4 * np.log(LEVELS), rtol=1e-5)


def test_a_memorizer_of_the_bytes_knows_them():
    images = from_arrays(BYTES, levels=LEVELS)
    model = wb.levels_model(memorizer(BYTES.astype(np.float32) / 255), images)
    params = model.init(jax.random.key(0))
    known = model.log_prob(params, jax.random.key(0), jnp.asarray(BYTES[3]))
    assert float(known) >= -np.log(len(BYTES)) - 1e-5


def test_rounding_to_levels_leaves_what_is_on_them():
    images = wb.Images(*(from_arrays(BYTES, levels=LEVELS) for _ in range(3)))
    same = wb.on_levels(images, LEVELS)
    np.testing.assert_array_equal(same.train.images, BYTES)
    halved = wb.on_levels(images, 2)
    assert halved.test.levels == 2
    assert set(np.unique(halved.test.images)) == {0, 255}


def test_too_few_samples_are_refused():
    few = jnp.zeros((5, 3))
    with pytest.raises(ValueError, match="samples: got 5 rows, expected at least 20"):
        wb.score_samples(jax.random.key(0), wb.Reals(*(jnp.zeros((30, 3)),) * 3), few)


def test_a_set_with_too_few_images_is_refused_before_anything_is_trained():
    few = wb.Images(*(from_arrays(BYTES[:19], levels=LEVELS, name="few") for _ in range(3)))
    with pytest.raises(ValueError, match=r"^dataset: got 19 images of few to judge by, exp"):
        wb.ImageJudge(few, 60, jax.random.key(0))


def test_a_model_without_a_likelihood_has_no_loss_and_no_bracket():
    images = wb.Images(*(from_arrays(BYTES, levels=LEVELS) for _ in range(3)))
    model = wb.implicit_model(wb.image_gan((4, 4, 1), 2, width=2), LEVELS)
    with pytest.raises(ValueError, match="expected fit_gan"):
        model.loss({}, jax.random.key(0), jnp.zeros(3))
    judge = wb.ImageJudge(images, 60, jax.random.key(0))
    assert np.isnan(judge.log_prob(model, {})).all()
    with pytest.raises(ValueError, match="model: got one without a bracket"):
        judge.bracket(model, {})


def test_what_takes_no_key_has_a_loss_and_what_takes_one_is_given_it():
    images, image = from_arrays(BYTES, levels=LEVELS), jnp.asarray(BYTES[0])
    noise = uniform_levels((2, 2, 1), LEVELS)
    loss, info = wb.levels_model(noise, images).loss({}, jax.random.key(0), image)
    assert loss == info["nll"]
    np.testing.assert_allclose(loss, 4 * np.log(LEVELS), rtol=1e-5)
    keys = []
    noted = lambda params, context, *, key=None: keys.append(key) or noise.distribution({}, ())  # noqa: E731
    model = wb.levels_model(noise._replace(distribution=noted), images)
    model.loss({}, jax.random.key(0), image)
    model.log_prob({}, jax.random.key(0), image)
    assert keys[0] is not None
    assert keys[1] is None
