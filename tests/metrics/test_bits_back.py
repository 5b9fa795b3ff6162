"""Bits-back coding: read again to the last bit, and of the length that the ELBO says."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.metrics import (
    LatentCode,
    bits_back,
    bits_back_decode,
    bits_back_encode,
    normal_bucket_probs,
    normal_buckets,
)

LATENTS, BUCKETS, DIMS, VALUES = 2, 8, 3, 4
STATES = np.stack(np.meshgrid(*[np.arange(BUCKETS)] * LATENTS, indexing="ij"), -1).reshape(-1, 2)


def random_code(seed, concentration=0.3):
    """Tables that depend on what they are given through its bytes alone."""
    rng = np.random.default_rng(seed)
    posteriors = rng.dirichlet(np.full(BUCKETS, concentration), (VALUES**DIMS, LATENTS))
    likelihoods = rng.dirichlet(np.full(VALUES, concentration), (BUCKETS**LATENTS, DIMS))
    return LatentCode(
        lambda x: posteriors[np.ravel_multi_index(x, (VALUES,) * DIMS)],
        lambda z: likelihoods[np.ravel_multi_index(z, (BUCKETS,) * LATENTS)],
        LATENTS,
        BUCKETS,
    )


BUCKETS_OF = jax.jit(normal_buckets, static_argnums=0)
PROBS_OF = jax.jit(normal_bucket_probs, static_argnums=2)


def words(count, seed=9):
    return np.random.default_rng(seed).integers(2**32, size=count, dtype=np.uint32)


def exact_model():
    """p(x|z) that hangs on the first latent alone, whose posterior is known for a single x."""
    tables = np.random.default_rng(5).dirichlet(np.full(VALUES, 0.5), BUCKETS)
    marginal = tables.mean(axis=0)
    posterior = (tables / tables.sum(axis=0)).T
    uniform = np.full(BUCKETS, 1 / BUCKETS)
    code = LatentCode(
        lambda x: np.stack([posterior[x[0]], uniform]), lambda z: tables[z[:1]], LATENTS, BUCKETS
    )
    xs = np.random.default_rng(6).choice(VALUES, (2000, 1), p=marginal)
    return code, xs, -np.log2(marginal[xs]).sum()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("concentration", [0.01, 1.0])
def test_any_tables_are_inverted_to_the_last_bit(seed, concentration):
    code = random_code(seed, concentration)
    xs = np.random.default_rng(seed).integers(VALUES, size=(60, DIMS))
    initial = words(LATENTS + seed)
    initial[-1] = 0  # trailing zeros too
    message = bits_back_encode(code, xs, initial)
    decoded, returned = bits_back_decode(code, message, xs.shape)
    np.testing.assert_array_equal(decoded, xs)
    np.testing.assert_array_equal(returned, initial)


def test_the_exact_posterior_makes_the_message_as_long_as_minus_log_p():
    # log q - log p(x, z) is then the same for every z: no noise, only words and rounding.
    code, xs, bits = exact_model()
    initial = words(10)
    message = bits_back_encode(code, xs, initial)
    assert 32 * (len(message) - len(initial)) == pytest.approx(bits, abs=96)


def test_without_the_bits_back_the_message_is_longer():
    code, xs, bits = exact_model()
    wasteful = code._replace(posterior=lambda x: np.eye(BUCKETS)[[int(x[0]), 0]])
    message = bits_back_encode(wasteful, xs, words(10))
    assert 32 * (len(message) - 10) > bits + 4 * len(xs)


def test_the_length_is_minus_the_elbo():
    code = random_code(3, 1.0)
    xs = np.random.default_rng(4).integers(VALUES, size=(2000, DIMS))
    expected, variance = 0.0, 0.0
    likelihoods = np.stack([code.likelihood(z) for z in STATES])
    for x in xs:
        q = np.prod(code.posterior(x)[np.arange(LATENTS), STATES], axis=1)
        log_p = np.log2(likelihoods[:, np.arange(DIMS), x]).sum(axis=1)
        bits = np.log2(q) - log_p + LATENTS * np.log2(BUCKETS)
        mean = q @ bits
        expected, variance = expected + mean, variance + q @ (bits - mean) ** 2
    initial = words(10)
    net = 32 * (len(bits_back_encode(code, xs, initial)) - len(initial))
    assert abs(net - expected) < 5 * np.sqrt(variance) + 64
    assert abs(1.03 * net - expected) > 5 * np.sqrt(variance) + 64  # three per cent would be seen


POSTERIORS = [(0.9, 0.3), (0.6, 0.0), (0.3, 1.0), (1.5, 0.0)]  # (scale, mean); the prior is N(0, 1)


def length_and_elbo(scale, mean):
    """Net bits of 1,000 datapoints, what they are on average, and the spread of their sum."""
    z = np.asarray(BUCKETS_OF(256), np.float64)
    q = np.asarray(PROBS_OF(jnp.array([mean]), jnp.array([scale]), 256), np.float64)
    likelihood = np.stack([1 / (1 + np.exp(2 * z)), 1 / (1 + np.exp(-2 * z))], axis=-1)
    code = LatentCode(lambda x: q, lambda z: likelihood[z], 1, 256)
    xs, initial = np.random.default_rng(7).integers(2, size=(1000, 1)), words(20)
    message = bits_back_encode(code, xs, initial)
    decoded, returned = bits_back_decode(code, message, xs.shape)
    np.testing.assert_array_equal(decoded, xs)
    np.testing.assert_array_equal(returned, initial)
    q = q[0] / q.sum()
    bits = np.log2(np.maximum(q, 2.0**-24) * 256)[:, None] - np.log2(likelihood)
    means = q @ bits
    spread = np.sqrt((q @ (bits - means) ** 2)[xs[:, 0]].sum())
    return 32 * (len(message) - len(initial)), means[xs[:, 0]].sum(), spread


@pytest.mark.parametrize(("scale", "mean"), POSTERIORS)
def test_the_length_is_minus_the_elbo_whatever_the_posterior(scale, mean):
    """Also where the posteriors are not the prior on average: false alarms 1 in 1e6."""
    net, expected, spread = length_and_elbo(scale, mean)
    assert abs(net - expected) < 5 * spread + 64
    assert 5 * spread + 64 < 0.25 * expected


def test_buckets_read_again_as_they_were_written_are_no_random_bits(monkeypatch):
    monkeypatch.setattr(bits_back, "_shifts", lambda code, n: np.zeros((n, 1), np.int32))
    for posterior in POSTERIORS[::3]:
        net, expected, spread = length_and_elbo(*posterior)
        assert abs(net - expected) > 5 * spread + 64


def test_a_flipped_bit_and_another_code_are_refused():
    code = random_code(0)
    xs = np.random.default_rng(0).integers(VALUES, size=(50, DIMS))
    initial = words(LATENTS)
    message = bits_back_encode(code, xs, initial)

    def damage(word):
        damaged = message.copy()
        damaged[word] ^= 1
        return damaged

    # The bottom of the stack is the initial words: damage there is theirs.
    decoded, returned = bits_back_decode(code, damage(0), xs.shape)
    np.testing.assert_array_equal(decoded, xs)
    assert not np.array_equal(returned, initial)
    for damaged in (damage(len(message) // 2), damage(-1)):
        with pytest.raises(ValueError, match="message: got one that does not end after 50"):
            bits_back_decode(code, damaged, xs.shape)
    with pytest.raises(ValueError, match="message: "):
        bits_back_decode(random_code(1), message, xs.shape)
    with pytest.raises(ValueError, match="message: got one that does not end after 49"):
        bits_back_decode(code, message, (49, DIMS))


@pytest.mark.parametrize(
    ("changes", "xs", "initial", "message"),
    [
        ({}, np.zeros((0, DIMS), int), words(2), r"xs: got shape \(0, 3\)"),
        ({}, np.full((1, DIMS), 0.9), words(2), "xs: got float64, expected integers"),
        ({}, np.full((1, DIMS), -1), words(2), "from -1, expected some, >= 0"),
        # Cast to int32 first, it was written as 1.
        ({}, np.full((1, DIMS), 2**32 + 1), words(2), r"xs: got 4294967297, expected .* 2\*\*31"),
        ({}, np.zeros((1, DIMS), int), words(1), "initial: got 1 words, expected at least 2"),
        ({"num_buckets": 9}, np.zeros((1, DIMS), int), words(2), r"expected \(2, 9\)"),
        ({"likelihood": lambda z: np.ones((2, 4))}, np.zeros((1, DIMS), int), words(2), r"\(3, va"),
        ({"likelihood": lambda z: np.ones((3, 2))}, np.full((1, 3), 2), words(2), "values below 2"),
        (
            {"posterior": lambda x: np.full((2, 8), -0.1)},
            np.zeros((1, 3), int),
            words(2),
            "posterior: got NaN, infinity, a number below zero or zeros alone, expected",
        ),
    ],
)
def test_bad_input_is_named(changes, xs, initial, message):
    with pytest.raises(ValueError, match=message):
        bits_back_encode(random_code(0)._replace(**changes), xs, initial)


@pytest.mark.parametrize(
    "row", [[0.7, 0.5, -0.2, 0.0], [0.0] * 4, [np.nan] * 4, [np.inf] * 4], ids=str
)
@pytest.mark.parametrize("name", ["posterior", "likelihood"])
def test_a_table_that_no_coder_can_read_is_refused(name, row):
    """Of one that sums to one all the same, another message was read than had been written."""
    tables = {"posterior": np.array([row * 2] * LATENTS), "likelihood": np.array([row] * DIMS)}
    code = random_code(0)._replace(**{name: lambda _: tables[name]})
    with pytest.raises(ValueError, match=f"^{name}: got NaN, .* expected probabilities"):
        bits_back_encode(code, np.zeros((1, DIMS), int), words(2))


@pytest.mark.parametrize(
    ("xs", "initial", "message"),
    [
        (np.zeros((2, 1, DIMS, 1), int), words(2), r"xs: got shape \(2, 1, 3, 1\), expected \(n, "),
        (
            np.zeros((1, DIMS), int),
            words(2).astype(np.int64),
            "initial: got int64, expected uint32",
        ),
    ],
)
def test_what_the_annotations_exclude_is_named_without_them_too(xs, initial, message):
    with pytest.raises(ValueError, match=message):
        inspect.unwrap(bits_back_encode)(random_code(0), xs, initial)


def test_buckets_are_those_of_the_normal_distribution():
    for count in (2, 4096):
        quantiles = (np.arange(count) + 0.5) / count
        np.testing.assert_allclose(BUCKETS_OF(count), stats.norm.ppf(quantiles), atol=2e-5)
    mean, scale = np.array([0.0, 1.5, -4.0, 0.3]), np.array([1.0, 0.2, 0.5, 1e-3])
    edges = stats.norm.ppf(np.arange(4097) / 4096)
    distributions = stats.norm(mean[:, None], scale[:, None])
    lower, upper = distributions.cdf(edges), distributions.sf(edges)
    exact = np.where(edges[:-1] < mean[:, None], np.diff(lower), -np.diff(upper))
    probs = PROBS_OF(jnp.asarray(mean), jnp.asarray(scale), 4096)
    np.testing.assert_allclose(probs.sum(axis=1), 1.0, atol=1e-5)
    assert float(probs.min()) >= 0
    np.testing.assert_allclose(probs[:3], exact[:3], atol=1e-6)
    # A posterior narrower than a bucket: float32 places an edge to 1e-7, or 1e-4 of its scale.
    np.testing.assert_allclose(probs[3], exact[3], atol=2e-4)


def test_many_buckets_lose_nothing_of_the_kl():
    mean, scale = jnp.array([0.5, -1.2, 0.0, 2.0]), jnp.array([0.1, 0.6, 1.0, 0.3])
    probs = np.asarray(PROBS_OF(mean, scale, 4096), np.float64)
    kl = np.sum(np.where(probs > 0, probs * np.log(np.maximum(probs, 1e-30) * 4096), 0.0))
    exact = np.sum(0.5 * (mean**2 + scale**2 - 1) - np.log(scale))
    assert kl == pytest.approx(float(exact), abs=2e-3)


@pytest.mark.parametrize("count", [1, 2**17])
def test_too_few_or_too_many_buckets_are_refused(count):
    with pytest.raises(ValueError, match=f"num_buckets: got {count}"):
        normal_buckets(count)
