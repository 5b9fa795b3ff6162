"""Two-sample tests against scipy, their size under p = q, and their power."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import LawBroken
from scipy import stats
from sklearn.neighbors import KNeighborsClassifier

from jaxgen.divergences import energy_distance, mmd_linear, mmd_unbiased, negative_distance, rbf
from jaxgen.two_sample import (
    accuracy_test,
    classifier_test,
    mean_test,
    mmd_linear_test,
    mmd_permutation_test,
    nearest_neighbor_test,
    permutation,
    permutation_test,
    variance_test,
)

RNG = np.random.default_rng(2)
XS, YS = RNG.normal(size=(30, 3)), RNG.normal(0.4, 1.5, size=(20, 3))
TRIALS = 500
LEVEL = 0.05


def float32(*arrays):
    return [jnp.asarray(a, jnp.float32) for a in arrays]


@pytest.mark.parametrize("half", [jnp.float16, jnp.bfloat16])
def test_half_precision_is_tested_in_full(half, key):
    """Its rounding, and counts that it does not hold, took all power from these."""
    xs, ys = (jnp.asarray(RNG.normal(gap, size=(1000, 3)), half) for gap in (0.0, 0.2))
    full = [samples.astype(jnp.float32) for samples in (xs, ys)]
    for test in map(jax.jit, (mean_test, variance_test)):
        np.testing.assert_array_equal(test(xs, ys), test(*full))
    apart = jax.jit(lambda key, *of: mmd_permutation_test(key, *of, rbf(1.0), num_permutations=99))
    assert apart(key, xs, ys).p_value == 0.01
    scores = [samples[:, 0] for samples in (xs, ys)]
    np.testing.assert_array_equal(
        accuracy_test(*scores), accuracy_test(*(s.astype(jnp.float32) for s in scores))
    )


@pytest.mark.parametrize(
    ("test", "peer"),
    [
        (mean_test, lambda x, y: stats.ttest_ind(x, y, equal_var=False)),
        (variance_test, lambda x, y: stats.levene(x, y, center="median")),
    ],
)
def test_means_and_variances_agree_with_scipy(test, peer, x64):
    xs, ys = jnp.asarray(XS), jnp.asarray(YS)
    peers = [peer(XS[:, d], YS[:, d]) for d in range(3)]
    compiled = jax.jit(test)
    for d in range(3):
        ours = compiled(xs[:, d], ys[:, d])
        statistic = abs(peers[d].statistic)
        assert float(ours.p_value) == pytest.approx(peers[d].pvalue, rel=1e-9)
        # Levene's F of two groups is the square of t.
        squared = float(ours.statistic) ** (1 if test is mean_test else 2)
        assert squared == pytest.approx(statistic, rel=1e-9)
    together = float(compiled(xs, ys).p_value)
    assert together == pytest.approx(min(1, 3 * min(p.pvalue for p in peers)), rel=1e-9)


def test_energy_distance_agrees_with_scipy(x64):
    ours = energy_distance(jnp.asarray(XS[:, 0]), jnp.asarray(YS[:, 0])).value
    # scipy's is the root.
    assert float(ours) == pytest.approx(stats.energy_distance(XS[:, 0], YS[:, 0]) ** 2, rel=1e-9)


@pytest.mark.parametrize("right", [0, 1, 9, 12, 20])
def test_the_accuracys_p_value_is_the_binomials(right):
    hits = jnp.where(jnp.arange(20) < right, 1.0, -1.0)
    scores_p, scores_q = hits[:10], -hits[10:]
    came = accuracy_test(scores_p, scores_q)
    assert float(came.statistic) == pytest.approx(right / 20)
    expected = stats.binomtest(right, 20, alternative="greater").pvalue
    assert float(came.p_value) == pytest.approx(expected, rel=1e-5)


def test_a_score_of_zero_says_q():
    """A classifier that says nothing is right half of the time."""
    assert accuracy_test(jnp.zeros(4), jnp.zeros(4)).statistic == 0.5


@pytest.mark.parametrize("n", [1500, 2500, 1_000_000])
def test_the_accuracys_p_value_keeps_its_digits_for_many_samples(n):
    right = n + round(1.5 * np.sqrt(2 * n) / 2)  # one and a half standard deviations above chance
    scores = jnp.where(jnp.arange(n) < right - n // 2, 1.0, -1.0)
    came = accuracy_test(scores, jnp.where(jnp.arange(n) < n // 2, -1.0, 1.0)).p_value
    assert float(came) == pytest.approx(stats.binom.sf(right - 1, 2 * n, 0.5), rel=2e-3)


@pytest.mark.parametrize(("n", "gap"), [(50, 1.4), (500, 0.4), (1_000_000, 0.0028)])
def test_small_p_values_and_many_samples_keep_their_digits_in_float32(n, gap):
    half = jnp.asarray(stats.norm.ppf((np.arange(n) + 0.5) / n), jnp.float32)
    came = mean_test(half + gap, half)
    expected = 2 * stats.t.sf(float(came.statistic), 2 * n - 2)
    assert 0 < expected < 0.1
    assert float(came.p_value) == pytest.approx(expected, rel=2e-3)


def test_neighbors_at_one_distance_vote_and_the_sets_may_be_exchanged(key):
    """Bits: nearly all have copies among the known. 100 of 200 right by chance, sd 7."""
    chances = jnp.array([0.5, 0.5, 0.75])[:, None, None]
    xs, same, others = jax.random.bernoulli(key, chances, (3, 200, 6)).astype(jnp.float32)
    assert abs(nearest_neighbor_test(xs, same).statistic - 0.5) < 0.15
    for pair in ((xs, others), (others, xs)):
        assert nearest_neighbor_test(*pair).p_value < 0.01


def test_the_nearest_neighbors_say_what_scikit_learns_say():
    halved = np.argsort(np.random.PCG64(0).random_raw(20))
    xs, ys = XS[:20][halved], YS[halved]
    peer = KNeighborsClassifier(1).fit(np.concatenate([xs[:10], ys[:10]]), np.repeat([1, 0], 10))
    hits = [np.mean(peer.predict(xs[10:]) == 1), np.mean(peer.predict(ys[10:]) == 0)]
    came = nearest_neighbor_test(*float32(XS[:20], YS))
    assert float(came.statistic) == pytest.approx(np.mean(hits))
    right = round(20 * np.mean(hits))
    expected = stats.binomtest(right, 20, alternative="greater").pvalue
    assert float(came.p_value) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="q_samples: got 20 samples, expected as many as of p, 30"):
        nearest_neighbor_test(*float32(XS, YS))


def test_sets_that_are_sorted_by_class_are_tested_as_others_are():
    noise = np.random.default_rng(4).normal(size=(3, 200, 1))
    first, second, third = np.repeat([[0.0], [10.0], [20.0]], 100, axis=1)[..., None]
    xs, alike = np.concatenate([first, second]) + noise[0], np.concatenate([first, second])
    others = np.concatenate([first, third]) + noise[2]  # the first halves of both are one class
    assert nearest_neighbor_test(*float32(xs, others)).p_value < 1e-4
    assert mmd_linear_test(*float32(xs, others), rbf(1.0)).p_value < 1e-2
    # Pairs of one class, each of one set sorted, would be nearer than those of the other shuffled.
    shuffled = np.random.default_rng(5).permutation(alike + noise[1])
    assert nearest_neighbor_test(*float32(xs, shuffled)).p_value > 1e-3
    assert mmd_linear_test(*float32(xs, shuffled), rbf(1.0)).p_value > 1e-3
    in_order = mmd_linear(*float32(xs, shuffled), rbf(1.0))
    assert in_order.value > 5 * in_order.stderr


def linear(params, x):
    return x @ params[:-1] + params[-1]


def by_difference_of_means(key, xs, ys):
    return permutation_test(key, lambda x, y: jnp.abs(jnp.mean(x) - jnp.mean(y)), xs, ys, 99)


def by_classifier(key, xs, ys):
    return classifier_test(
        key, xs, ys, lambda key: jnp.zeros(3), linear, num_steps=20, batch_size=10
    )


def peeking_classifier(key, xs, ys):
    """Broken: tested on what it was trained on."""
    gap = jnp.mean(xs, axis=0) - jnp.mean(ys, axis=0)
    middle = (jnp.mean(xs, axis=0) + jnp.mean(ys, axis=0)) / 2
    return accuracy_test((xs - middle) @ gap, (ys - middle) @ gap)


TESTS = {
    "mean": lambda key, xs, ys: mean_test(xs[:, 0], ys[:, 0]),
    "variance": lambda key, xs, ys: variance_test(xs, ys),
    "linear": lambda key, xs, ys: mmd_linear_test(xs, ys, rbf(1.0)),
    "mmd": lambda key, xs, ys: mmd_permutation_test(key, xs, ys, rbf(1.0), 19),
    "energy": lambda key, xs, ys: mmd_permutation_test(key, xs, ys, negative_distance, 99),
    "permutation": by_difference_of_means,
    "classifier": by_classifier,
    "nearest": lambda key, xs, ys: nearest_neighbor_test(xs, ys),
    "peeking": peeking_classifier,
}


def program(names):
    """Every trial's outcome of every test, one compilation: `(xs, ys) -> {name: TestResult}`."""

    def one(key, xs, ys):
        keys = jax.random.split(key, len(names))
        return {name: TESTS[name](k, xs, ys) for name, k in zip(names, keys, strict=True)}

    compiled = jax.jit(jax.vmap(one))

    def run(xs, ys):
        with jax.debug_key_reuse(True):  # in fixtures too, lest it compile again in tests
            return compiled(jax.random.split(jax.random.key(7), TRIALS), xs, ys)

    return run


def data(n):
    return float32(*np.random.default_rng(n).normal(size=(2, TRIALS, n, 2)))


@pytest.fixture(scope="module")
def all_tests():
    return program(TESTS)


@pytest.fixture(scope="module")
def under_the_null(all_tests):
    return {name: np.asarray(came.p_value) for name, came in all_tests(*data(24)).items()}


def assert_uniform(p, false_alarm=1e-4):
    """Kolmogorov and Smirnov's test that p-values are uniform; of 1/200 steps, it is lenient."""
    if stats.kstest(p, "uniform").pvalue < false_alarm:
        raise LawBroken("p-values are not uniform under p = q")


def assert_size(p, false_alarm=1e-4):
    """At most `LEVEL` of all p-values are at most LEVEL, by the binomial's tail."""
    for level in (0.01, LEVEL, 0.2):
        count = int(np.sum(p <= level + 1e-9))
        if stats.binom.sf(count - 1, len(p), level) < false_alarm:
            raise LawBroken(f"{count} of {len(p)} p-values are at most {level}")


@pytest.mark.parametrize("name", ["mean", "mmd", "energy", "permutation"])
def test_p_values_are_uniform_under_the_null(name, under_the_null):
    assert_uniform(under_the_null[name])
    with pytest.raises(LawBroken):  # p-values 15% too small are seen
        assert_uniform(0.85 * under_the_null[name])


def test_the_size_is_kept_under_the_null(under_the_null):
    for name in TESTS.keys() - {"peeking"}:
        assert_size(under_the_null[name])
    with pytest.raises(LawBroken):
        assert_size(under_the_null["peeking"])
    with pytest.raises(LawBroken):  # k / R in place of (1 + k) / (1 + R)
        assert_size((20 * under_the_null["mmd"] - 1) / 19)


def power(outcomes):
    return {name: np.mean(np.asarray(came.p_value) <= LEVEL) for name, came in outcomes.items()}


def test_power_rises_with_the_effect_and_with_the_number_of_samples(all_tests):
    xs, ys = data(24)
    some, more = power(all_tests(xs + 0.5, ys)), power(all_tests(xs + 1.0, ys))
    for name in ("mean", "linear", "mmd", "energy", "permutation", "classifier"):
        assert 0.08 < some[name] < more[name] - 0.05, name
    assert power(all_tests(3 * xs, ys))["variance"] > 0.9
    xs, ys = data(60)
    larger = power(program(["mean", "mmd"])(xs + 0.5, ys))
    for name, rate in larger.items():
        assert rate > some[name] + 0.2, name


def test_ties_count_against_a_difference(all_tests):
    same = jnp.ones((TRIALS, 24, 2))
    for name, came in all_tests(same, same).items():
        if name not in ("linear", "classifier", "nearest", "peeking"):
            np.testing.assert_array_equal(came.p_value, 1.0, err_msg=name)


def test_a_nan_gives_no_p_value_and_is_reported(all_tests):
    xs, ys = data(24)
    for name, came in all_tests(xs.at[7, 3, 0].set(jnp.nan), ys).items():
        broken = np.arange(TRIALS) == 7
        np.testing.assert_array_equal(came.all_finite, ~broken, err_msg=name)
        np.testing.assert_array_equal(np.isnan(came.p_value), broken, err_msg=name)


def u_statistic(xs, ys):
    k = lambda x, y: np.exp(-((x[:, None] - y) ** 2) / 2)  # noqa: E731
    within = [(k(s, s).sum() - len(s)) / len(s) / (len(s) - 1) for s in (xs, ys)]
    return sum(within) - 2 * k(xs, ys).mean()


@pytest.mark.parametrize("precise", [False, True])
def test_p_values_against_every_reassignment(precise):
    """All 20 of 3 + 3 samples one by one, against thousands at random."""
    pooled = np.concatenate([XS[:3, 0], YS[:3, 0]])
    subsets = [np.isin(np.arange(6), c) for c in itertools.combinations(range(6), 3)]
    values = np.array([u_statistic(pooled[c], pooled[~c]) for c in subsets])
    exact = np.mean(values >= values[0] - 1e-9)

    @jax.jit
    def both(key, xs, ys):
        kernel = rbf(1.0)
        keys = jax.random.split(key)
        return (
            mmd_permutation_test(keys[0], xs, ys, kernel, 2000),
            permutation_test(
                keys[1],
                lambda x, y: mmd_unbiased(x, y, kernel).value,
                xs,
                ys,
                2000,
                batch_size=2000,
            ),
        )

    with jax.enable_x64(precise):
        found = both(jax.random.key(0), *float32(pooled[:3], pooled[3:]))
    for came in found:
        assert float(came.statistic) == pytest.approx(values[0], abs=1e-6)
        assert float(came.p_value) == pytest.approx(exact, abs=5 * np.sqrt(0.25 / 2000))


@pytest.mark.parametrize("precise", [False, True])
def test_every_subset_is_as_likely(precise, monkeypatch):
    """All 10 of 2 from 5, by chi-squared: false alarms 1 in 1e6; one that comes 20% too often is
    seen. With equal numbers the subsets keep their size, and no longer all come as often."""

    def found(seed):
        with jax.enable_x64(precise):
            drawn = np.asarray(permutation._random_subsets(jax.random.key(seed), 20_000, 2, 5))
        assert set(drawn.sum(axis=1)) == {2}
        return np.bincount(drawn @ 2 ** np.arange(5), minlength=32)

    pairs = [2**i + 2**j for i, j in itertools.combinations(range(5), 2)]
    assert stats.chisquare(found(0)[pairs]).pvalue > 1e-6
    bits = jax.random.bits
    monkeypatch.setattr(jax.random, "bits", lambda *args: bits(*args) >> 30 << 30)
    assert stats.chisquare(found(1)[pairs]).pvalue < 1e-6  # ties go by place


def test_what_rounding_alone_tells_apart_is_tied():
    """Of repeated values, against every reassignment: false alarms 1 in 1e6."""
    rng = np.random.default_rng(0)
    xs, ys = 0.1 * rng.integers(0, 4, 5), 0.1 * rng.integers(1, 5, 5)
    pooled = np.concatenate([xs, ys])
    subsets = [np.isin(np.arange(10), c) for c in itertools.combinations(range(10), 5)]
    values = np.array([u_statistic(pooled[c], pooled[~c]) for c in subsets])
    exact = np.mean(values >= values[0] - 1e-6)
    found = mmd_permutation_test(
        jax.random.key(1), *float32(xs[:, None], ys[:, None]), rbf(1.0), 4000
    )
    assert float(found.p_value) == pytest.approx(exact, abs=5 * np.sqrt(exact * (1 - exact) / 4000))
    gap = lambda x, y: jnp.abs(jnp.mean(x) - jnp.mean(y))  # noqa: E731
    means = np.array([abs(pooled[c].mean() - pooled[~c].mean()) for c in subsets])
    exact = np.mean(means >= means[0] - 1e-6)
    found = permutation_test(jax.random.key(2), gap, *float32(xs, ys), 4000)
    spread = np.sqrt(exact * (1 - exact) / 4000)
    assert float(found.p_value) == pytest.approx(exact, abs=5 * spread + 1e-6)


def test_unequal_numbers_in_blocks(x64):
    xs, ys = jnp.asarray(XS[:, 0]), jnp.asarray(YS[:, 0])
    came = mmd_permutation_test(jax.random.key(0), xs, ys, rbf(1.0), 9, block_size=16)
    expected = u_statistic(XS[:, 0], YS[:, 0])
    assert float(came.statistic) == pytest.approx(expected, rel=1e-9)


XS3, YS3 = float32(XS, YS)
KEY = jax.random.key(0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mean_test(XS3[:1], YS3), r"p_samples: got shape \(1, 3\)"),
        (
            lambda: variance_test(XS3[:2], YS3),
            r"p_samples: got shape \(2, 3\), expected at least 3",
        ),
        (lambda: variance_test(XS3, YS3[:, 0]), r"q_samples: got samples of shape \(\)"),
        (
            lambda: mmd_linear_test(XS3[:3], YS3[:3], rbf(1.0)),
            r"p_samples: got shape \(3, 3\), expected at least 4",
        ),
        (lambda: mmd_permutation_test(KEY, XS3, YS3, rbf(1.0), 0), "num_permutations: got 0"),
        (
            lambda: permutation_test(KEY, lambda x, y: x.mean(axis=0), XS3, YS3, 9),
            r"statistic: got shape \(3,\), expected one number",
        ),
        (lambda: accuracy_test(XS3[:, 0], YS3[:, 0]), r"scores_q: got shape \(20,\), .*\(30,\)"),
        (lambda: accuracy_test(XS3, XS3), r"scores_p: got shape \(30, 3\)"),
        (
            lambda: classifier_test(KEY, XS3, YS3, lambda k: 0.0, lambda p, x: x, held_out=1.5),
            "held_out: got 1.5",
        ),
    ],
)
def test_misuse_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
