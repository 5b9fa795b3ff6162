"""Features judged over seeds and images, against SciPy and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats
from sklearn.decomposition import PCA

from jaxgen.metrics import linear_probe, neighbor_accuracy
from jaxgen.train import gradient_step, init_state
from jaxgen.workbench import (
    MEASURES,
    Labeled,
    balanced_indices,
    class_accuracy,
    judge_by_few_labels,
    over_seeds_and_images,
    paired,
    principal_components,
    report_features,
    seed_by_seed,
)

RNG = np.random.default_rng(0)
LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 0, 0, 1, 2, 2] * 3)


def test_as_many_of_every_class_are_chosen_and_none_twice():
    draw = jax.jit(jax.vmap(lambda key: balanced_indices(key, LABELS, 5)))
    chosen = np.asarray(draw(jax.random.split(jax.random.key(0), 400)))
    for label in range(3):
        assert (LABELS[chosen[:, label]] == label).all()
    assert all(len(set(of.ravel())) == 15 for of in chosen)
    # Each of the nine of class 1 in 5/9 of the draws: 5 standard errors, false alarm below 1e-5.
    counts = np.bincount(chosen[:, 1].ravel(), minlength=36)[LABELS == 1]
    assert np.abs(counts / 400 - 5 / 9).max() < 5 * np.sqrt(5 / 9 * 4 / 9 / 400)
    with pytest.raises(ValueError, match="per_class: got 10, expected at most 9, the images of cl"):
        balanced_indices(jax.random.key(0), LABELS, 10)


def test_every_seed_is_judged_by_its_own_features_and_labels():
    x = RNG.normal(size=(36, 1, 2, 1)) + LABELS[:, None, None, None]
    x = (20 * x + 100).clip(0, 255).astype(np.uint8)
    train = Labeled(jnp.asarray(x[:24]), jnp.asarray(LABELS[:24]))
    test = Labeled(jnp.asarray(x[24:]), jnp.asarray(LABELS[24:]))
    turns = jnp.array([[1.0, 0.0], [0.3, -2.0]])  # of the two pixels, by seed
    few = jnp.array([[0, 1, 2], [3, 4, 5]])

    def features(turn, x):
        return x.reshape(len(x), 2) * turn

    right = class_accuracy(features, turns, few, train, test, 3)
    assert set(right) == set(MEASURES)
    of_train, of_test = (features(turns[1], of.images / np.float32(255)) for of in (train, test))
    for name, known in (("", slice(None)), ("_few", few[1])):
        told = of_train[known], train.labels[known]
        expected = neighbor_accuracy(*told, of_test, test.labels)
        np.testing.assert_array_equal(right[f"neighbor{name}"][1], expected)
    probe = linear_probe(*told, 3, standardized_by=of_train)
    expected = probe.logits(of_test).argmax(axis=1) == test.labels
    np.testing.assert_array_equal(right["probe_few"][1], expected)
    assert right["probe"].mean() > right["probe_few"].mean()
    judged = judge_by_few_labels(features)(turns, jax.random.key(0), (few, train, test))
    np.testing.assert_allclose(judged["accuracy"], right["neighbor_few"].mean(), rtol=1e-6)


def test_principal_components_are_scikit_learns():
    x = RNG.integers(0, 256, size=(30, 2, 3, 1), dtype=np.uint8)
    scaled = x / np.float32(255)
    found = principal_components(x, 4)((), jnp.asarray(scaled))
    expected = PCA(4).fit_transform(scaled.reshape(30, -1))
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-5)


def test_intervals_over_seeds_and_over_images_and_the_paired_test_are_scipys():
    values = RNG.normal(size=(6, 40)) + RNG.normal(size=(6, 1))
    found = over_seeds_and_images(values)
    for axis, half in ((1, found.over_seeds), (0, found.over_images)):
        means = values.mean(axis=axis)
        interval = stats.t.interval(0.95, len(means) - 1, means.mean(), stats.sem(means))
        np.testing.assert_allclose(found.value + half, interval[1])
    assert str(found).count("±") == 2
    others = RNG.normal(size=(6, 40))
    compared = paired(values, others)
    expected = stats.ttest_rel(values.mean(axis=1), others.mean(axis=1)).pvalue
    np.testing.assert_allclose(compared.p_value, expected)
    np.testing.assert_allclose(compared.difference.value, values.mean() - others.mean())
    assert paired(values, values).p_value == 1.0
    with pytest.raises(ValueError, match="values: got 1, expected two or more"):
        over_seeds_and_images(values[:1])


def test_the_report_has_a_row_for_each_features_and_the_pair_compared():
    ours, theirs = ({m: RNG.normal(size=(3, 5)) for m in MEASURES} for _ in range(2))
    labels = {"a": "one", "b": "another"}
    result, (table, compared) = report_features({"a": ours, "b": theirs}, labels, ("b", "a"), "T")
    expected = theirs["probe"].mean() - ours["probe"].mean()
    np.testing.assert_allclose(result["difference"]["probe"]["value"], expected)
    np.testing.assert_allclose(result["accuracy"]["a"]["probe"]["value"], ours["probe"].mean())
    np.testing.assert_allclose(result["of_seeds"]["a"]["probe"], ours["probe"].mean(axis=1))
    assert [row[0] for row in table.rows] == ["one", "another"]
    assert compared.columns[1] == "another less one"
    assert len(compared.rows) == len(MEASURES)


def test_every_seed_is_updated_by_its_own_key_and_batch(key):
    def loss(params, key, batch):
        return jnp.mean((params - batch - jax.random.normal(key)) ** 2), {}

    update = gradient_step(loss, optax.sgd(0.1))
    states = jax.vmap(lambda start: init_state(start, optax.sgd(0.1)))(jnp.array([1.0, 2.0]))
    batches = (jnp.array([1.0, 2.0]), jnp.array([3.0, 5.0]))
    together, info = jax.jit(seed_by_seed(update))(states, jax.random.clone(key), batches)
    keys = jax.random.split(key, 2)
    losses = []
    for i, start in enumerate((1.0, 2.0)):
        state, alone = update(init_state(jnp.float32(start), optax.sgd(0.1)), keys[i], batches[i])
        np.testing.assert_allclose(together.params[i], state.params, rtol=1e-6)
        losses.append(alone["loss"])
    np.testing.assert_allclose(info["loss"], np.mean(losses), rtol=1e-6)
    assert info["all_finite"]
