"""What is reported of encoders, by hand: round trips, neighbors, tests of the joint, traversals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import from_arrays
from jaxgen.models import bigan, standard_normal
from jaxgen.nets import MLPCritic, concatenated
from jaxgen.workbench import ENCODERS, Labeled, first_labeled, report_encoders, round_trips
from jaxgen.workbench.encoder_measures import joint_tests
from jaxgen.workbench.latent_pictures import traversals


def scaled(factor):
    return (lambda key, inputs: jnp.float32(factor), lambda params, inputs: params * inputs)


def test_round_trips_are_distances_of_vectors_beside_shuffled_ones():
    """G doubles, E halves and adds nothing: the error of factor .5 · 2.2 - 1 is a tenth of x."""
    model = bigan(
        scaled(2.2),
        scaled(0.5),
        concatenated(MLPCritic(())),
        prior=standard_normal(2),
        x_shape=(2,),
    )  # fmt: skip
    player, _ = model.init(jax.random.key(0))
    x = jnp.array([[3.0, 4.0], [0.0, 1.0], [6.0, 8.0]])
    found = round_trips(model, player, x, 10 * x)
    norms = np.array([5.0, 1.0, 10.0])
    np.testing.assert_allclose(found["reconstruction"], 0.1 * norms.mean(), rtol=1e-5)
    np.testing.assert_allclose(found["inversion"], norms.mean(), rtol=1e-5)
    shuffled = np.linalg.norm(np.asarray(x) - 1.1 * np.roll(x, 1, axis=0), axis=1).mean()
    np.testing.assert_allclose(found["reconstruction_shuffled"], shuffled, rtol=1e-5)
    np.testing.assert_allclose(found["inversion_shuffled"], 10 * shuffled, rtol=1e-5)


def test_pairs_are_told_apart_by_the_joint_and_not_by_its_margins():
    """Equal margins, but x and z independent on one side: what a GAN beside any encoder has."""
    x, z = jax.random.normal(jax.random.key(0), (2, 300, 1))
    noise = 0.3 * jax.random.normal(jax.random.key(1), (3, 300, 1))
    real, alike = (x, x + noise[0]), (z, z + noise[1])
    apart = (z, jnp.roll(z, 7, axis=0) + noise[2])
    same, other = (joint_tests(jax.random.key(2), real, fake) for fake in (alike, apart))
    assert same["mmd_p"] > 0.01  # one key of a hundred
    assert other["mmd_p"] == 0.005
    assert same["told_apart"] < 0.6 < 0.7 < other["told_apart"]


def test_a_traversal_moves_one_entry():
    codes = traversals(jnp.array([1.0, 2.0, 3.0]), jnp.array([-1.0, 0.0]), 2)
    expected = [[[-1, 2, 3], [0, 2, 3]], [[1, -1, 3], [1, 0, 3]]]
    np.testing.assert_array_equal(codes, expected)


def test_the_table_has_every_number_of_every_seed_and_the_baselines():
    images = np.array([0, 100, 200], np.uint8).reshape(3, 1, 1, 1)
    sets = Labeled(images, np.array([0, 1, 2])), Labeled(images + 10, np.array([0, 1, 1]))
    trained = {name: jnp.array([1.0, 2.0, 3.0]) + i for i, name in enumerate(ENCODERS)}
    untrained = {name: jnp.zeros(3) for name in ENCODERS}
    result, table = report_encoders("t", trained, untrained, *sets)
    assert result["means"]["neighbors_before"] == 3
    assert set(result["untrained"].values()) == {0}
    np.testing.assert_allclose(result["neighbors_pixels"], 2 / 3, rtol=1e-6)
    assert {len(row) for row in table.rows} == {len(table.columns)} == {6}
    assert [row[0] for row in table.rows if row[0] in ENCODERS.values()] == [*ENCODERS.values()]


def test_images_without_labels_are_refused():
    with pytest.raises(ValueError, match="dataset: got mine without labels"):
        first_labeled(from_arrays(np.zeros((4, 2, 2, 1), np.uint8), name="mine"), 2)
