"""Classes told apart by features: against scikit-learn, and where the answer is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from jaxgen.metrics import LinearProbe, linear_probe, neighbor_accuracy

RNG = np.random.default_rng(0)
LABELS = np.arange(60) % 3
FEATURES = (RNG.normal(size=(60, 5)) + LABELS[:, None]).astype(np.float32) * [1, 10, 100, 1, 1]
FEATURES = np.concatenate([FEATURES, np.full((60, 1), 7.0)], axis=1).astype(np.float32)
KNOWN, TEST = slice(0, 40), slice(40, 60)


def by_scikit_learn(l2):
    x = FEATURES[KNOWN].astype(np.float64)
    scale = np.where(x.std(axis=0) == 0, 1, x.std(axis=0))
    standardized = (FEATURES - x.mean(axis=0)) / scale
    model = LogisticRegression(C=1 / l2, tol=1e-10, max_iter=10_000)
    model.fit(standardized[KNOWN], LABELS[KNOWN])
    return model.predict_log_proba(standardized[TEST])


@pytest.mark.parametrize("l2", [0.1, 10.0])
def test_the_probe_is_scikit_learns_logistic_regression(l2):
    probe = linear_probe(FEATURES[KNOWN], LABELS[KNOWN], 3, l2=l2)
    assert probe.gradient <= 1e-5
    found = jax.nn.log_softmax(probe.logits(FEATURES[TEST]))
    np.testing.assert_allclose(found, by_scikit_learn(l2), rtol=3e-4, atol=2e-4)
    # One of a hundred times the penalty is another: the comparison would see it.
    assert np.abs(found - by_scikit_learn(100 * l2)).max() > 0.1


def test_at_the_optimum_each_class_is_expected_as_often_as_it_comes():
    probe = linear_probe(FEATURES[KNOWN], LABELS[KNOWN], 3, l2=0.5)
    p = jax.nn.softmax(probe.logits(FEATURES[KNOWN]))
    x, y = (FEATURES[KNOWN] - probe.mean) / probe.scale, np.eye(3)[LABELS[KNOWN]]
    np.testing.assert_allclose(p.sum(axis=0), y.sum(axis=0), atol=1e-3)
    np.testing.assert_allclose(x.T @ (y - p), 0.5 * probe.weights, atol=2e-3)


def test_the_probe_of_no_feature_is_the_share_of_each_class():
    labels = np.arange(40) // 20 * (1 + np.arange(40) % 2)  # 20, 10 and 10 of them
    probe = linear_probe(np.full((40, 6), 3.0, np.float32), labels, 3)
    np.testing.assert_allclose(jax.nn.softmax(probe.bias), [0.5, 0.25, 0.25], atol=1e-4)
    np.testing.assert_allclose(probe.weights, 0, atol=1e-6)


def test_probes_of_many_seeds_are_those_of_each_and_are_compiled_once():
    seeds = jnp.asarray(np.stack([FEATURES, FEATURES[::-1]]))[:, KNOWN]
    labels = jnp.asarray(np.stack([LABELS, LABELS[::-1]]))[:, KNOWN]

    @jax.jit
    def together(seeds, labels, l2):
        return jax.vmap(lambda x, y: linear_probe(x, y, 3, l2=l2))(seeds, labels)

    probes = together(seeds, labels, 1.0)
    alone = linear_probe(seeds[1], labels[1], 3)
    np.testing.assert_allclose(probes.weights[1], alone.weights, atol=1e-4)
    together(seeds, labels, 2.0)
    assert together._cache_size() == 1


def test_others_may_say_what_the_features_are_standardized_by():
    others = FEATURES[20:]
    probe = linear_probe(FEATURES[KNOWN], LABELS[KNOWN], 3, standardized_by=others)
    np.testing.assert_allclose(probe.mean, others.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(probe.scale[:5], others.std(axis=0)[:5], rtol=1e-5)
    assert probe.scale[5] == 1


def test_a_sample_is_of_the_class_of_its_nearest_neighbor():
    model = KNeighborsClassifier(1).fit(FEATURES[KNOWN], LABELS[KNOWN])
    expected = model.predict(FEATURES[TEST]) == LABELS[TEST]
    found = neighbor_accuracy(FEATURES[KNOWN], LABELS[KNOWN], FEATURES[TEST], LABELS[TEST])
    np.testing.assert_array_equal(found, expected)
    assert 0 < expected.mean() < 1
    # Of two nearest ones, one is of its class.
    points, queries = jnp.array([[0.0], [2.0], [9.0]]), jnp.array([[1.0], [8.0]])
    found = neighbor_accuracy(points, jnp.array([0, 1, 1]), queries, jnp.array([1, 0]))
    np.testing.assert_array_equal(found, [0.5, 0.0])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:-1], "labels: got int64 of shape"),
        (LABELS + 1, "labels: got values from 1 to 3, expected 0 to 2"),
    ],
)
def test_labels_that_are_none_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        linear_probe(FEATURES, labels, 3)
    if len(labels) < 60:
        with pytest.raises(ValueError, match=message):
            neighbor_accuracy(FEATURES, labels, FEATURES, LABELS)


def test_what_cannot_be_a_probe_is_refused():
    for settings, message in (
        ({"l2": 0.0}, "l2: got 0.0"),
        ({"max_steps": 0}, "max_steps: got 0"),
        ({"standardized_by": FEATURES[:, :2]}, "standardized_by: got samples of shape"),
    ):
        with pytest.raises(ValueError, match=message):
            linear_probe(FEATURES, LABELS, 3, **settings)
    with pytest.raises(ValueError, match="features: got"):
        linear_probe(np.zeros((60, 2), np.uint8), LABELS, 3)
    probe = LinearProbe(jnp.zeros(6), jnp.ones(6), jnp.ones((6, 3)), jnp.zeros(3), 0.0, 1)
    for others in (FEATURES[0], FEATURES[:, :2], FEATURES[:, :1]):  # the first would broadcast
        with pytest.raises(ValueError, match=r"features: got shape \(\d+, \d\), expected \(\d+, 6"):
            probe.logits(others)
