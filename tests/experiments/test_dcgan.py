"""The DCGAN recipe: what its numbers are measured by, and that its players fit the images."""

import jax
import pytest

from experiments import dcgan


def test_samples_of_a_short_training_are_farther_off_than_data(tiny):
    result = tiny("dcgan").result
    assert result["frechet"] > result["frechet_of_reals"] > 0
    assert len(result["class_frechet"]) == len(result["class_frechet_of_reals"]) == 10
    assert 0 <= result["class_accuracy"] < 0.9 < result["class_accuracy_of_reals"]


@pytest.mark.parametrize("size", [8, 28, 32, 64])
def test_players_fit_the_images(size):
    model = dcgan.make_model(dcgan.Config(width=2, critic="spectral_norm"), (size, size, 1))
    generator, critic = jax.eval_shape(model.init, jax.random.key(0))
    layers = [name for name in critic["params"] if name.startswith("StridedConv")]
    assert len(layers) == {8: 2, 28: 2, 32: 3, 64: 4}[size]
    assert set(generator) == {"params", "batch_stats"}


@pytest.mark.parametrize("conditional", ["concatenation", "projection"])
@pytest.mark.parametrize("critic", ["batch_norm", "spectral_norm"])
def test_players_are_told_the_class(conditional, critic):
    config = dcgan.Config(width=2, critic=critic, conditional=conditional)
    model = dcgan.make_model(config, (8, 8, 1), 10)
    generator, judge = jax.eval_shape(model.init, jax.random.key(0))
    assert generator["params"]["Dense_0"]["kernel"].shape[0] == config.latent_size + 10
    table = judge["params"].get("V", {}).get("kernel")
    assert (table is not None and table.shape[0] == 10) == (conditional == "projection")
