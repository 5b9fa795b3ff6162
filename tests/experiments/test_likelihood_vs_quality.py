"""The lab: what fools which number, on 50 samples of barely trained models."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from experiments.likelihood_vs_quality import of_any_temperature, pixel_cnn
from jaxgen.data import from_arrays

HUNDREDTH = "0.01 of it in noise"


def test_each_adversary_fools_what_it_must_and_is_seen_by_what_must_see_it(tiny):
    result = tiny("likelihood_vs_quality").result
    nats, scores, fooled = (result[name] for name in ("likelihoods", "scores", "fooled"))
    # A hundredth of the model loses log 100 nats of each image at most: the bound is exact.
    lost = nats["PixelCNN"][0] - nats[HUNDREDTH][0]
    assert 0 < lost <= math.log(100) + 1e-4
    for test in ("mmd_p", "accuracy_p"):
        assert scores[HUNDREDTH][test] < 0.01
        assert scores["memorizer"][test] >= 0.01
    for share in ("precision", "recall", "coverage"):
        low, high = scores["memorizer"][share][1:]
        fresh_low, fresh_high = scores["fresh data"][share][1:]
        assert low <= fresh_high
        assert fresh_low <= high
    assert scores["memorizer"]["memorization_p"] < 1e-6
    assert scores["fresh data"]["memorization_p"] > 1e-3
    # Centroids beat as many real images by far more than both errors.
    (of_centroids, error), (of_images, other) = (
        scores[name]["parzen"] for name in ("centroids", "memorizer")
    )
    assert of_centroids - of_images > 3 * math.hypot(error, other)
    assert fooled["likelihood"] == {
        HUNDREDTH: fooled["likelihood"][HUNDREDTH],
        **dict.fromkeys(("memorizer", "centroids", "noisy copies", "noise"), False),
    }
    assert fooled["memorization test"]["memorizer"] is False
    assert fooled["classifier test"][HUNDREDTH] is False
    assert fooled["MMD test"]["memorizer"] is True


def test_a_path_loses_what_its_shares_allow_and_ends_where_its_other_end_is(tiny):
    result = tiny("likelihood_vs_quality").result
    in_noise, in_copies, _ = result["paths"].values()
    for path in (in_noise, in_copies):
        own, *mixed = path
        for place in mixed:
            assert place["x"][0] - own["x"][0] <= math.log(1 / float(place["label"])) + 1e-4
            assert place["y"][1] <= place["y"][0] <= place["y"][2]
    assert in_noise[-1]["y"][0] > 0.9
    assert abs(in_copies[-1]["y"][0] - 0.5) < 0.1
    assert np.isfinite(result["bracket"]["value"])


def test_a_temperature_among_the_params_is_the_one_that_the_head_is_given():
    images = from_arrays(
        np.array([0, 255], np.uint8)[np.eye(3, dtype=int)][None, ..., None], levels=2
    )
    image, temperature = jnp.asarray(images.images[0]), jnp.float32(0.6)
    any_of_them, (_, one) = of_any_temperature(images), pixel_cnn(images, 0.6)
    params = one.init(jax.random.key(0))
    own = jax.jit(one.log_prob)(params, jax.random.key(2), image)
    found = jax.jit(any_of_them.log_prob)((params, temperature), jax.random.key(2), image)
    np.testing.assert_allclose(found, own, rtol=1e-5)
    warmer = any_of_them.log_prob((params, jnp.float32(1.6)), jax.random.key(2), image)
    assert abs(float(warmer - own)) > 1e-2
    drawn = any_of_them.draw((params, temperature), jax.random.key(1))
    np.testing.assert_array_equal(drawn, one.draw(params, jax.random.key(1)))
