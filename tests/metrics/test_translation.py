"""The score of a translation on hand-made ones: identity, exchanged classes, a hidden message."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.divergences import rbf
from jaxgen.metrics import (
    TranslationTerms,
    best_permutation,
    confusion_matrix,
    disagreement,
    mean_interval,
    share_interval,
    translation_score,
    translation_terms,
    unpaired_scores,
)

LABELS = np.arange(300) % 3
X = jnp.asarray(LABELS / 4)[:, None, None, None] * jnp.ones((1, 2, 2, 1))  # 0, 1/4, 1/2
Y = 1 - X


def classify(y):
    """Knows Y's classes by their brightness."""
    return jnp.rint(4 * (1 - y[:, 0, 0, 0])).astype(jnp.int32)


def score(key, forward, backward):
    terms = jax.jit(lambda key: translation_terms(key, forward, backward, classify, X, Y))(key)
    return translation_score(jax.random.key(1), terms, LABELS)


def test_the_true_map(key):
    found = score(key, lambda x: 1 - x, lambda y: 1 - y)
    assert found.pair_l1.ends == found.cycle_l1.ends == (0, 0, 0)
    assert found.class_kept.value == found.class_kept_permuted.value == 1
    assert found.chance == pytest.approx(1 / 3)
    # |N(0, 1)| / 255 on the way, four pixels of 300 images.
    expected = np.sqrt(2 / np.pi) / 255
    assert found.hidden_by_noise.value == pytest.approx(expected, rel=0.1)
    assert found.hidden_by_noise.low < expected < found.hidden_by_noise.high
    # Brightnesses of quarters lie half a level off at worst.
    assert 0 < found.hidden_by_rounding.value <= 0.5 / 255


def test_classes_exchanged_whole(key):
    """0 becomes 1, 1 becomes 2, 2 becomes 0: the cycle closes and the pairs are wrong."""

    def turned(x):
        return 1 - (x + 0.25) % 0.75

    def back(y):
        return (1 - y - 0.25) % 0.75

    found = score(key, turned, back)
    assert found.cycle_l1.value == pytest.approx(0, abs=1e-6)
    assert found.pair_l1.value == pytest.approx(1 / 3)
    assert found.class_kept.value == 0
    assert found.class_kept_permuted.ends == (1, 1, 1)
    assert found.permuted_chance < 0.45


def test_a_message_in_the_last_bits_is_found(key):
    """All images become one class, and what they were is written below the 8 bits."""

    def hide(x):
        return jnp.full_like(x, 0.8) + 1e-3 * x

    def read(y):
        return 1e3 * (y - 0.8)

    found = score(key, hide, read)
    assert found.cycle_l1.value < 1e-3
    assert found.hidden_by_rounding.value > 0.1
    assert found.hidden_by_noise.value > 1
    assert found.class_kept.value == pytest.approx(1 / 3)
    assert found.chance == pytest.approx(1 / 3)


def terms(predicted):
    zero = np.zeros(len(predicted), np.float32)
    return TranslationTerms(zero, np.asarray(predicted), zero, zero, zero)


def test_a_known_confusion_matrix(key):
    labels, predicted = np.repeat([0, 1, 2], [5, 4, 3]), [1, 1, 1, 0, 2, 0, 0, 0, 2, 2, 2, 0]
    counts = confusion_matrix(labels, np.array(predicted))
    np.testing.assert_array_equal(counts, [[1, 3, 1], [3, 0, 1], [1, 0, 2]])
    best = best_permutation(counts)
    np.testing.assert_array_equal(best.of, [1, 0, 2])
    assert best.share == pytest.approx(8 / 12)
    found = translation_score(key, terms(predicted), labels)
    assert found.class_kept.value == pytest.approx(3 / 12)
    assert found.class_kept_permuted.value == pytest.approx(8 / 12)
    assert found.class_kept_permuted.low < 8 / 12 < found.class_kept_permuted.high
    # Counts of the labels 5, 4, 3 and of the predictions 5, 3, 4.
    assert found.chance == pytest.approx((5 * 5 + 4 * 3 + 3 * 4) / 144)


def test_the_chance_of_the_best_map_is_that_of_independent_classes(key):
    """The score of independent predictions lies where the score says that chance is."""
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 10
    found = [
        translation_score(k, terms(rng.integers(0, 10, 200)), labels)
        for k in jax.random.split(key, 8)
    ]
    permuted = np.array([each.class_kept_permuted.value for each in found])
    chance = np.mean([each.permuted_chance for each in found])
    # A false alarm once in a thousand keys; the chance of a fixed map, .1, is far outside.
    assert stats.ttest_1samp(permuted, chance).pvalue > 1e-3
    assert stats.ttest_1samp(permuted, 0.1).pvalue < 1e-6
    # What resampling adds to the share of the best map once more is taken away.
    ends = np.array([each.class_kept_permuted.ends for each in found])
    assert (ends[:, 1:].mean(axis=1) < ends[:, 0]).all()


def test_without_pairs_an_exchange_of_classes_looks_right():
    """The distances are of whole domains: they cannot see which image became which."""
    exchanged = jax.jit(
        lambda: unpaired_scores(
            lambda x: 1 - (x + 0.25) % 0.75, lambda y: (1 - y - 0.25) % 0.75, X, Y, rbf(1.0)
        )
    )()
    np.testing.assert_allclose(exchanged.frechet, 0, atol=1e-5)
    np.testing.assert_allclose(exchanged.mmd, 0, atol=1e-5)
    assert exchanged.rounded_cycle < 1 / 255
    faded = unpaired_scores(lambda x: 1 - x / 2, lambda y: (1 - y) / 2, X, Y, rbf(1.0))
    # Of each way the means differ by 1/8 and the deviations by a half, at all of four pixels.
    deviation = np.std(np.asarray(X[:, 0, 0, 0]), ddof=1)
    assert faded.frechet == pytest.approx(2 * 4 * (1 / 8**2 + (deviation / 2) ** 2), rel=1e-3)
    assert faded.mmd > 0.01
    # Half of each way is lost twice: x comes back as x / 4.
    assert faded.rounded_cycle == pytest.approx(2 * 0.75 * 0.25, abs=0.01)


def test_without_pairs_both_ways_count():
    halved = unpaired_scores(lambda x: x / 2, lambda y: y, X, Y, rbf(1.0))
    # X is 1/4 in the mean and Y 3/4, and a half of either is lost.
    assert halved.rounded_cycle == pytest.approx(1 / 8 + 3 / 8, abs=0.005)


def test_disagreement():
    of = jnp.array([0.0, 0.0, 1.0])[:, None, None] * jnp.ones((3, 5, 4))
    np.testing.assert_allclose(disagreement(of), [0.5, 0.5, 1.0], rtol=1e-6)
    with pytest.raises(ValueError, match="translations: got 1, expected two or more"):
        disagreement(of[:1])


def test_intervals():
    assert share_interval(np.array([True, False, True, True])).ends == pytest.approx(
        (0.75, 0.3006, 0.9544), abs=1e-4
    )
    found = mean_interval(np.array([1.0, 2.0, 4.0]))
    low, high = stats.t.interval(0.95, 2, 7 / 3, stats.sem([1.0, 2.0, 4.0]))
    assert found.ends == pytest.approx((7 / 3, low, high))


def test_refused(key):
    with pytest.raises(ValueError, match=r"labels: got \(2,\), expected \(3,\): one each"):
        translation_score(key, terms([0, 1, 1]), np.array([0, 1]))
    with pytest.raises(ValueError, match="images: got 1, expected an integer >= 2"):
        translation_score(key, terms([0]), np.array([0]))
    with pytest.raises(ValueError, match=r"translation: got shape \(300, 1, 2, 1\), expected"):
        translation_terms(key, lambda x: x[:, :1], lambda y: y, classify, X, Y)
    with pytest.raises(ValueError, match="labels: got a class below 0"):
        confusion_matrix(np.array([-1, 0]), np.array([0, 0]))
    with pytest.raises(ValueError, match="values: got 1, expected two or more"):
        mean_interval(np.ones(1))
    with pytest.raises(ValueError, match="happened: got none"):
        share_interval(np.ones(0, bool))
    with pytest.raises(ValueError, match=r"values: got shape \(3, 2\), expected \(3,\)"):
        mean_interval(np.ones((3, 2)))
    for wrong in (np.ones((2, 2), bool), np.array([2.0, 3.0])):
        with pytest.raises(ValueError, match=r"happened: got (bool|float64) of shape \(2"):
            share_interval(wrong)
    with pytest.raises(ValueError, match=r"predicted: got shape \(1,\), expected \(3,\)"):
        confusion_matrix(np.array([0, 1, 1]), np.array([1]))
    with pytest.raises(ValueError, match="images: got 0, expected an integer >= 1"):
        confusion_matrix(np.zeros(0, int), np.zeros(0, int))
    with pytest.raises(ValueError, match="images: got 0, expected an integer >= 1"):
        best_permutation(np.zeros((2, 2), int))
    with pytest.raises(ValueError, match=r"confusion: got shape \(2, 3\), expected \(2, 2\)"):
        best_permutation(np.ones((2, 3), int))
    with pytest.raises(ValueError, match="translations: got uint8, expected floating-point"):
        disagreement(jnp.array([[[1, 200]], [[2, 100]]], jnp.uint8))
    with pytest.raises(ValueError, match=r"cycle: got shape \(300, 2, 2, 3\), expected \(300, 2"):
        unpaired_scores(
            lambda x: 1 - x, lambda y: jnp.repeat(1 - y, 3, axis=-1), X, Y, rbf(1.0),
            features=lambda x: x[..., :1],
        )  # fmt: skip


@pytest.mark.parametrize("scored", [0, 1])
def test_images_on_another_scale_are_refused(scored, key):
    """Of 0 to 255 and of -1 to 1 neither the distances nor 8 bits are what they are called."""

    def terms_of(x, y):
        return translation_terms(
            jax.random.clone(key), lambda x: 1 - x, lambda y: 1 - y, classify, x, y
        )

    def scores_of(x, y):
        return unpaired_scores(lambda x: 1 - x, lambda y: 1 - y, x, y, rbf(1.0))

    of, second = ((terms_of, "partners"), (scores_of, "y"))[scored]
    for scale, message in (
        (lambda x: (255 * x).astype(jnp.uint8), "got uint8"),
        (lambda x: 255 * x, "got values from 0 to 127.5, expected 0 to 1"),
        (lambda x: 2 * x - 1, "got values from -1 to 0, expected 0 to 1"),
        (lambda x: x * jnp.nan, "got values from nan to nan, expected 0 to 1"),
    ):
        with pytest.raises(ValueError, match=f"x: {message}"):
            of(scale(X), Y)
        with pytest.raises(ValueError, match=f"{second}: {message}"):
            of(X, scale(X))
    with pytest.raises(ValueError, match=r"x: got shape \(0, 2, 2, 1\), expected at least"):
        of(X[:0], Y[:0])


def test_a_translation_is_to_images_alone(key):
    """What a model's pass returns, images beside collections, is told from images."""
    for wrong, message in (
        (lambda x: (1 - x, {}), "got a function to tuple, expected one to images alone"),
        (lambda x: (255 * x).astype(jnp.uint8), "got uint8, expected floating-point"),
    ):
        for name, ways in (("forward", (wrong, jnp.abs)), ("backward", (jnp.abs, wrong))):
            with pytest.raises(ValueError, match=f"{name}: {message}"):
                unpaired_scores(*ways, X, Y, rbf(1.0))
            with pytest.raises(ValueError, match=f"{name}: {message}"):
                translation_terms(jax.random.clone(key), *ways, classify, X, X)


def test_classes_are_one_integer_for_each_image(key):
    for wrong, message in (
        (lambda y: jnp.zeros((300, 10)), r"float32 of shape \(300, 10\)"),  # logits
        (lambda y: jnp.zeros(300), r"float32 of shape \(300,\)"),
        (lambda y: jnp.int32(1), r"int32 of shape \(\)"),
        (lambda y: 1, r"int of shape \(\)"),
    ):
        expected = rf"classify: got {message}, expected integers of shape \(300,\)"
        with pytest.raises(ValueError, match=expected):
            translation_terms(jax.random.clone(key), jnp.abs, jnp.abs, wrong, X, X)


def test_half_precision_does_not_overflow():
    found = mean_interval(np.full(3, 60_000, np.float16))
    assert found.ends == (60_000, 60_000, 60_000)
