"""Sequential Monte Carlo against the Kalman filter and against itself written out in NumPy."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from kalman import bootstrap, example
from laws import assert_unbiased, rejected
from scipy import stats
from scipy.special import logsumexp

from jaxgen.inference import RESAMPLING, always, ess_below, multinomial, never, smc

MODEL = example()
TIME, LENGTH = 5, 3
XS = MODEL.sample(np.random.default_rng(0), TIME)
TERMS, MEANS, _ = MODEL.filter(XS)
STEP, START = bootstrap(MODEL)
MASKS = {"whole": np.ones(TIME, bool), "short": np.arange(TIME) < LENGTH}
TRUTH = {"whole": TERMS.sum(), "short": TERMS[:LENGTH].sum()}
SCHEDULES = {"never": never, "always": always, "ess_below": ess_below(0.6)}
PARTICLES, DRAWS = 4, 20_000  # the law sees a bias of 4%


def recorded(key, state, x):
    """The bootstrap step with its log weight in the record."""
    state, _, log_weight = STEP(key, state, x)
    return state, log_weight, log_weight


@jax.jit
def dispatched(keys, scheme, schedule, mask):
    """Every scheme and schedule in one compiled program."""

    def sample(key, log_weights):
        branches = [s.sample for s in RESAMPLING.values()]
        return jax.lax.switch(scheme, branches, key, log_weights)

    def when(log_weights):
        return jax.lax.switch(schedule, list(SCHEDULES.values()), log_weights)

    xs, resampling = jnp.asarray(XS, jnp.float32), dataclasses.replace(multinomial, sample=sample)

    def one(key):
        return smc(key, recorded, START, xs, PARTICLES, resampling=resampling, when=when, mask=mask)

    return jax.vmap(one)(keys)


@functools.cache
def results(scheme, schedule, mask="whole"):
    indices = list(RESAMPLING).index(scheme), list(SCHEDULES).index(schedule)
    keys = jax.random.split(jax.random.key(1), DRAWS)
    return jax.device_get(dispatched(keys, *indices, MASKS[mask]))


CASES = [("multinomial", "never"), *((s, w) for s in RESAMPLING for w in ("always", "ess_below"))]
EVERY = pytest.mark.parametrize(("scheme", "schedule"), CASES)


def ratios(log_likelihoods, mask="whole"):
    """Z-hat / Z: its law's mean is one."""
    return np.exp(np.asarray(log_likelihoods, np.float64) - TRUTH[mask])


def by_hand(result, mask, weights_kept=False):
    """log Z-hat from the recorded log weights and ancestors alone, in float64; and the ESS."""
    log_ratios = np.asarray(result.samples, np.float64)
    draws = np.arange(len(log_ratios))
    log_weights = np.full((len(draws), PARTICLES), -np.log(PARTICLES))
    log_likelihood, ess = np.zeros(len(draws)), []
    for t in range(TIME):
        if mask[t]:
            before = log_weights
            if weights_kept:
                before = np.take_along_axis(before, result.ancestors[:, t], axis=1)
                before = before - logsumexp(before, axis=1, keepdims=True)
            else:
                reset = result.resampled[:, t, None]
                before = np.where(reset, -np.log(PARTICLES), before)
            log_weights = before + log_ratios[:, t]
            increment = logsumexp(log_weights, axis=1, keepdims=True)
            log_weights = log_weights - increment
            log_likelihood += increment[:, 0]
        ess.append(1 / np.sum(np.exp(log_weights) ** 2, axis=1))
    return log_likelihood, np.stack(ess, axis=1)


def test_the_kalman_filter_is_the_joint_gaussian():
    mean, cov = MODEL.joint(TIME)
    expected = stats.multivariate_normal(mean, cov).logpdf(XS.ravel())
    np.testing.assert_allclose(TERMS.sum(), expected, rtol=1e-12)


@EVERY
@pytest.mark.parametrize("mask", MASKS)
def test_the_likelihood_is_unbiased(scheme, schedule, mask):
    assert_unbiased(ratios(results(scheme, schedule, mask).log_likelihood, mask), 1.0)


@EVERY
@pytest.mark.parametrize("mask", MASKS)
def test_numbers_agree_with_numpy(scheme, schedule, mask):
    result = results(scheme, schedule, mask)
    log_likelihood, ess = by_hand(result, MASKS[mask])
    np.testing.assert_allclose(result.log_likelihood, log_likelihood, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(result.log_increments.sum(axis=1), log_likelihood, atol=1e-3)
    np.testing.assert_allclose(result.ess, ess, rtol=1e-3)
    before = np.concatenate([np.full((DRAWS, 1), PARTICLES), ess[:, :-1]], axis=1)
    due = {"never": 0 * before, "always": 1 + before, "ess_below": before < 0.6 * PARTICLES}
    due = (due[schedule] > 0) & MASKS[mask] & (np.arange(TIME) > 0)
    assert np.mean(result.resampled == due) > 0.9999  # an ESS at the threshold may round over it
    own = result.ancestors == np.arange(PARTICLES)
    assert np.all(own.all(axis=2) | result.resampled)
    assert result.alive.all()
    assert result.all_finite.all()


def test_weights_kept_after_resampling_are_caught():
    result = results("systematic", "always")
    assert_unbiased(ratios(by_hand(result, MASKS["whole"])[0]), 1.0)
    with rejected():
        assert_unbiased(ratios(by_hand(result, MASKS["whole"], weights_kept=True)[0]), 1.0)


def test_an_ignored_mask_is_caught():
    with rejected():
        assert_unbiased(ratios(results("systematic", "always").log_likelihood, "short"), 1.0)


def test_a_forgotten_log_k_is_caught():
    forgotten = results("systematic", "always").log_likelihood + TIME * np.log(PARTICLES)
    with rejected():
        assert_unbiased(ratios(forgotten), 1.0)


def test_a_mean_over_sequences_instead_of_particles_is_caught():
    log_weights = np.stack(  # [draws, sequences, particles]
        [results("multinomial", "never", m).samples.astype(np.float64).sum(axis=1) for m in MASKS],
        axis=1,
    )
    truth = np.array(list(TRUTH.values()))
    right = logsumexp(log_weights, axis=2) - np.log(PARTICLES)
    wrong = (logsumexp(log_weights, axis=1) - np.log(len(MASKS))).mean(axis=1, keepdims=True)
    assert_unbiased(np.exp(right - truth), np.ones(len(MASKS)))
    with rejected():
        assert_unbiased(np.exp(wrong - truth), np.ones(len(MASKS)))


def test_the_bound_is_below_and_strata_tighten_it():
    bounds = {case: results(*case).log_likelihood for case in CASES}
    stderr = max(b.std() for b in bounds.values()) / np.sqrt(DRAWS)
    means = {case: b.mean() for case, b in bounds.items()}
    assert all(mean < TRUTH["whole"] - 10 * stderr for mean in means.values())
    for scheme in ("stratified", "systematic"):
        assert means[scheme, "always"] > means["multinomial", "always"] + 5 * stderr


def test_never_resampling_is_importance_sampling_of_whole_sequences():
    result = results("multinomial", "never")
    log_weights = result.samples.astype(np.float64).sum(axis=1)
    expected = logsumexp(log_weights, axis=1) - np.log(PARTICLES)
    np.testing.assert_allclose(result.log_likelihood, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(result.log_ancestor_probs, 0.0)


def test_many_particles_find_the_filtered_means():
    run = jax.jit(lambda key: smc(key, STEP, START, jnp.asarray(XS, jnp.float32), 50_000))
    result = run(jax.random.key(0))
    means = jnp.einsum("tk,tkd->td", jnp.exp(result.log_weights), result.samples)
    np.testing.assert_allclose(means, MEANS, atol=0.03)  # about 5 standard errors
    np.testing.assert_allclose(result.log_increments, TERMS, atol=0.03)
    # The states are what the next step would start from.
    transition = result.samples[-1] @ MODEL.transition.T
    np.testing.assert_allclose(result.states[0], transition, rtol=1e-4, atol=1e-5)


@jax.jit
@functools.partial(jax.value_and_grad, has_aux=True)
def value_of_mean(mean, xs, mask):
    result = smc(jax.random.key(3), STEP, (mean, START[1]), xs, 6, mask=mask)
    return result.log_likelihood, result


@pytest.mark.parametrize("padding", [0.0, np.nan])
def test_padding_changes_nothing_to_the_bit(padding):
    padded = jnp.asarray(np.where(MASKS["short"][:, None], XS, padding), jnp.float32)
    (whole, short), gradient = value_of_mean(START[0], padded[:LENGTH], None)
    (value, result), padded_gradient = value_of_mean(START[0], padded, MASKS["short"])
    np.testing.assert_array_equal(value, whole)
    np.testing.assert_allclose(padded_gradient, gradient, rtol=1e-6)
    np.testing.assert_array_equal(result.states[0], short.states[0])
    for name in ("log_weights", "ess", "samples", "ancestors", "log_increments"):
        np.testing.assert_array_equal(
            getattr(result, name)[:LENGTH], getattr(short, name), err_msg=name
        )
    np.testing.assert_array_equal(result.log_weights[LENGTH:], [short.log_weights[-1]] * 2)
    np.testing.assert_array_equal(result.samples[LENGTH:], 0.0)
    np.testing.assert_array_equal(result.log_increments[LENGTH:], 0.0)


def test_a_batch_is_its_sequences_one_by_one():
    rng = np.random.default_rng(1)
    xs = jnp.asarray([MODEL.sample(rng, TIME) for _ in range(3)], jnp.float32)
    masks = jnp.arange(TIME) < jnp.array([[5], [2], [0]])
    keys = jax.random.split(jax.random.key(0), 3)

    def one(key, xs, mask):
        return smc(key, STEP, START, xs, 6, mask=mask).log_likelihood

    batch = jax.jit(jax.vmap(one))(jax.random.clone(keys), xs, masks)
    single = jax.jit(one)
    apart = [single(*arguments) for arguments in zip(keys, xs, masks, strict=True)]
    np.testing.assert_allclose(batch, apart, rtol=1e-5)
    assert batch[2] == 0.0  # the likelihood of nothing


SEEN = np.array([False, True, False, True, True])
MISSING = np.where(SEEN[:, None], XS, np.nan)


def unobserved_step(key, state):
    state, z, _ = STEP(key, state, jnp.zeros(2))
    return state, z


def of_missing(mean, key, **settings):
    start, xs = (mean, START[1]), jnp.asarray(MISSING, jnp.float32)
    return smc(key, STEP, start, xs, PARTICLES, **settings).log_likelihood


def test_the_likelihood_of_what_was_seen_is_unbiased():
    """Of the others at the same times: a step that is not seen is one in which time goes on."""
    mean, cov = MODEL.joint(TIME)
    seen = np.repeat(SEEN, 2)
    truth = stats.multivariate_normal(mean[seen], cov[np.ix_(seen, seen)]).logpdf(XS.ravel()[seen])
    keys = jax.random.split(jax.random.key(2), DRAWS)  # the very same for both
    settings = {"observed": jnp.asarray(SEEN), "unobserved_step": unobserved_step}
    found = jax.jit(jax.vmap(lambda key: of_missing(START[0], key, **settings)))(
        jax.random.clone(keys)
    )
    assert_unbiased(np.exp(np.asarray(found, np.float64) - truth), 1.0)
    with rejected():  # where time stands still there
        masked = jax.jit(jax.vmap(lambda key: of_missing(START[0], key, mask=jnp.asarray(SEEN))))
        assert_unbiased(np.exp(np.asarray(masked(keys), np.float64) - truth), 1.0)


@pytest.mark.parametrize("seen", [SEEN, np.zeros(TIME, bool)])
def test_no_gradient_meets_what_was_not_seen(key, seen):
    keys = jax.random.split(key)
    grad = jax.grad(of_missing)
    assert np.isfinite(grad(START[0], keys[0], mask=jnp.asarray(seen))).all()
    settings = {"observed": jnp.asarray(seen), "unobserved_step": unobserved_step}
    assert np.isfinite(grad(START[0], keys[1], **settings)).all()


@jax.jit
@functools.partial(jax.value_and_grad, has_aux=True)
def degenerate(mean, time, threshold, above, below):
    """A random walk whose log weights at one step are `above` or `below` a threshold on z."""

    def step(key, state, x):
        z, t = state
        z = z + jax.random.normal(key)
        log_weight = jnp.where(z > threshold, above, below)
        return (z, t + 1), z, jnp.where(t == time, log_weight, -0.5 * (x - z) ** 2)

    start = (mean, jnp.zeros((), jnp.int32))
    result = smc(jax.random.key(0), step, start, jnp.ones(TIME), 6, when=always)
    return result.log_likelihood, result


def test_all_weights_zero_is_minus_infinity_and_said():
    (value, result), gradient = degenerate(0.0, 2, 0.0, -jnp.inf, -jnp.inf)
    assert value == -jnp.inf
    assert not result.all_finite
    np.testing.assert_array_equal(result.alive, np.arange(TIME) != 2)
    assert result.ess[2] == 0.0
    assert not any(np.isnan(leaf).any() for leaf in jax.tree.leaves(result))
    assert np.isfinite(gradient)


def test_some_weights_zero_are_an_ordinary_step():
    (value, result), gradient = degenerate(0.0, 2, 1.0, 0.0, -jnp.inf)
    assert np.isfinite(value)
    assert np.isfinite(gradient)
    assert result.all_finite
    assert result.alive.all()
    killed = np.isneginf(result.log_weights[2])
    assert 0 < killed.sum() < 6
    assert not np.isin(np.flatnonzero(killed), result.ancestors[3]).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_weight_that_is_no_number_is_said(bad):
    (value, result), _ = degenerate(0.0, 1, 0.0, bad, bad)
    assert not np.isfinite(value)
    assert not result.all_finite
    assert result.alive.all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_particles": 0}, "num_particles: got 0, expected an integer >= 1"),
        ({"xs": jnp.zeros((0, 2))}, r"xs: got shapes \[\(0, 2\)\], expected arrays with a common"),
        ({"xs": jnp.zeros(())}, r"xs: got shapes \[\(\)\]"),
        ({"xs": (jnp.zeros((5, 2)), jnp.zeros(4))}, r"xs: got shapes \[\(5, 2\), \(4,\)\]"),
        ({"xs": ()}, r"xs: got shapes \[\]"),
        ({"mask": jnp.ones(4, bool)}, r"mask: got bool of shape \(4,\), expected bool of shape"),
        ({"mask": jnp.ones((5, 2), bool)}, r"mask: got bool of shape \(5, 2\)"),
        (
            {"mask": jnp.ones(5)},
            r"mask: got float32 of shape \(5,\), expected bool of shape \(5,\)",
        ),
        ({"observed": jnp.ones(5, bool)}, "unobserved_step: got None with observed"),
        (
            {"observed": jnp.ones(4, bool), "unobserved_step": unobserved_step},
            r"observed: got bool of shape \(4,\), expected bool of shape \(5,\)",
        ),
        (
            {"step": lambda key, state, x: (state, x, x)},
            r"step: got a log weight of shape \(2,\), expected one number",
        ),
    ],
)
def test_bad_arguments_are_named(changes, message):
    arguments = {"step": STEP, "start": START, "xs": jnp.zeros((TIME, 2)), "num_particles": 4}
    with pytest.raises(ValueError, match=message):
        smc(jax.random.key(0), **(arguments | changes))
