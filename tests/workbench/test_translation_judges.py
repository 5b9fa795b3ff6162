"""The workbench's part of translations: judges, what they measure, domains by flags."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import TRANSLATIONS, load, unpaired
from jaxgen.models import cyclegan
from jaxgen.workbench import (
    Classifier,
    ImageConfig,
    JudgedCell,
    Swept,
    judge_translations,
    judged_by,
    load_domains,
    rank_correlation,
    report_translations,
    translation_numbers,
)

SHAPE = (8, 8, 1)


def power(weight=1.0):
    """A net of one parameter: the inverse of the image, to that power."""

    def init(key, x):
        return {"power": jnp.float32(weight)}

    def apply(params, x):
        return (1 - x) ** params["power"]

    return init, apply


def critic():
    return (lambda key, x: {"w": jnp.zeros(())}), (lambda params, x: params["w"] * x[:, 0, 0, 0])


@pytest.fixture(scope="module")
def judged():
    """The true map, and one that makes all images of Y white, on the task without a rare class."""
    train, test = load("digits", "train[:640]"), load("digits", "test")
    task = unpaired(train, test, TRANSLATIONS["local"])
    net = Classifier(10, 16, (8, 8))
    judges = judged_by(jax.random.key(0), net, train, task, TRANSLATIONS["local"])
    model = cyclegan(power(), power(), critic(), critic(), x_shape=SHAPE, y_shape=SHAPE)
    generators, _ = model.init(jax.random.key(1))
    both = jax.tree.map(lambda leaf: jnp.stack([leaf, 0 * leaf]), generators)
    return judge_translations(model, net)(both, jax.random.key(2), judges), task.test_labels


def test_the_true_map_is_judged_right_and_a_blank_one_wrong(judged):
    found, labels = judged
    true, blank = found.there.pair_l1
    np.testing.assert_allclose(true, 0, atol=1e-6)
    assert np.mean(blank) > 0.2
    kept = np.mean(np.asarray(found.there.predicted) == labels, axis=1)
    assert kept[0] > 0.75  # the judge's own accuracy
    assert kept[1] < 0.15
    # Each is as far from the other.
    np.testing.assert_allclose(*found.disagreement, rtol=1e-5)
    assert found.unpaired.frechet[0] < found.unpaired.frechet[1]
    numbers = translation_numbers(found, labels)
    assert numbers["class_kept"] == pytest.approx(np.mean(kept))
    np.testing.assert_allclose(numbers["class_kept_of_seeds"], kept)


def test_the_report_has_means_intervals_and_ranks(judged, key):
    found, labels = judged
    record = {f"validation_{k}": v for k, v in translation_numbers(found, labels).items()}
    swept = Swept({"one": JudgedCell(found, labels, {})}, {}, {"one": [record]}, {"one": 1.0})
    result, tables = report_translations(key, swept)
    kept = result["cells"]["one"]["class_kept"]
    assert kept["mean"] == pytest.approx(np.mean(kept["of_seeds"]))
    for value, (low, high) in zip(kept["of_seeds"], kept["intervals_over_images"], strict=True):
        assert low <= value <= high
    assert result["rank_correlations"]["one"]["frechet"] == pytest.approx(1)
    assert len(tables) == 2


def test_rank_correlation():
    assert rank_correlation(np.array([3.0, 2.0, 1.0]), np.array([0.1, 0.2, 0.9])) == -1
    assert rank_correlation(np.ones(3), np.arange(3.0)) is None


def test_a_set_is_two_domains_that_share_no_image():
    (x, y), (held_out_x, held_out_y) = load_domains(ImageConfig())
    assert not {image.tobytes() for image in 255 - x} & {image.tobytes() for image in y}
    assert (len(x), len(y), len(held_out_x), len(held_out_y)) == (648, 649, 150, 150)
    with pytest.raises(ValueError, match="batch_size: got 700, expected at most 649"):
        load_domains(ImageConfig(batch_size=700))
