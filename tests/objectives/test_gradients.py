"""Every bound by every gradient, exactly: quadrature for a Gaussian q, enumeration for a discrete.

The expectation over two samples is summed over the nodes of the noise, so no law is statistical.
"""

import dataclasses
import re
from functools import partial
from unittest import mock

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from jaxgen.bounds import (
    BOUNDS,
    IWAE,
    VR_MAX,
    ciwae,
    jackknife,
    miwae,
    renyi,
    sumo,
    thermodynamic_lower_bound,
)
from jaxgen.certify import exact_moments, normal_quadrature, replay, sample_space
from jaxgen.estimators import leave_one_out, over_sets, score_function
from jaxgen.objectives import GRADIENTS

PARAMS = {"log_scale": jnp.array(-0.2), "mean": jnp.array(0.4), "prior_mean": jnp.array(1.0)}
NOISE, PROBS = normal_quadrature(40, 2)
SMOOTH = {
    **BOUNDS,
    "renyi(2)": renyi(2.0),
    "ciwae": ciwae(0.3),
    "thermodynamic": thermodynamic_lower_bound((0.4,)),
    "jackknife": jackknife(),
}
del SMOOTH["vr-max"]
EVERY = [*SMOOTH.values(), miwae(2), sumo(), VR_MAX]
REFUSED = {
    "doubly_reparameterized": [VR_MAX],
    "generalized_doubly_reparameterized": [VR_MAX],
    "ovis": [bound for bound in EVERY if bound != IWAE],
}
OF_SCORES = ("score_function", "vimco", "ovis", "reweighted_wake_sleep")
OF_A_PATH = [name for name in GRADIENTS if name not in OF_SCORES]


def takes(name, bound):
    return bound not in REFUSED.get(name, [])


def q_of(params):
    return distrax.Normal(params["mean"], jnp.exp(params["log_scale"]))


def log_weight(params):
    """f(z, q) = log w(z) of a Gaussian model whose prior mean is learned too."""
    own, own_prior = q_of(params), distrax.Normal(params["prior_mean"], 2.0)
    return lambda z, q=own, prior=own_prior: (
        prior.log_prob(z) + distrax.Normal(z, 0.8).log_prob(-0.5) - q.log_prob(z)
    )


def gradient_at(noise, estimator, params=PARAMS):
    """One draw of the gradient, as a vector, when the noise of the samples is `noise`."""

    def surrogate(params):
        key = jax.random.key(0)
        return estimator.apply((), key, log_weight(params), q_of(params))[0]

    def normal(key, shape=(), dtype=float):
        if np.prod(shape) != noise.size:  # the check of q, which looks at the program alone
            return noise[0] * jnp.ones(shape, dtype)
        return noise.reshape(shape).astype(dtype)

    with mock.patch.object(jax.random, "normal", normal):
        return ravel_pytree(jax.grad(surrogate)(params))[0]


def expected_bound(params, bound):
    z = params["mean"] + jnp.exp(params["log_scale"]) * NOISE
    log_weights = jax.vmap(jax.vmap(log_weight(params)))(z)
    return PROBS @ jax.vmap(bound)(log_weights)


def exact(bound, estimators):
    """Means of the estimators' gradients, and the gradient of E[bound]: all vectors."""

    def means(params):
        def draws(estimator):
            return jax.vmap(lambda noise: gradient_at(noise, estimator, params))(NOISE)

        truth = jax.grad(lambda params: expected_bound(params, bound))(params)
        return {k: PROBS @ draws(e) for k, e in estimators.items()}, ravel_pytree(truth)[0]

    return jax.jit(means)(PARAMS)


def scored():
    """E[sum_k v_k grad log q(z_k)]: in the log scale, in the mean."""
    z = PARAMS["mean"] + jnp.exp(PARAMS["log_scale"]) * NOISE
    v = jax.nn.softmax(jax.vmap(jax.vmap(log_weight(PARAMS)))(z), axis=1)
    scores = {"log_scale": NOISE**2 - 1, "mean": NOISE * jnp.exp(-PARAMS["log_scale"])}
    return [PROBS @ jnp.sum(v * scores[name], axis=1) for name in ("log_scale", "mean")]


@pytest.mark.parametrize("name", SMOOTH)
def test_with_a_gaussian_q(name):
    bound = SMOOTH[name]
    estimators = {g: make(2, bound=bound) for g, make in GRADIENTS.items() if takes(g, bound)}
    # DReG of IWAE on this bound: the path weights belong to the bound.
    estimators["broken"] = GRADIENTS["doubly_reparameterized"](
        2, bound=dataclasses.replace(bound, path_weights=renyi(0.3).path_weights)
    )
    means, truth = exact(bound, estimators)
    for gradient, estimator in estimators.items():
        error = np.max(np.abs(means[gradient] - truth))
        if gradient == "broken":
            assert error > 0.01
        elif gradient == "reweighted_wake_sleep":  # of q's own objective; of the model's the bound
            np.testing.assert_allclose(means[gradient], [*scored(), truth[2]], atol=2e-4)
            assert not estimator.unbiased
        elif estimator.unbiased:
            assert error < 2e-4, gradient
        else:
            # The bias of sticking the landing where it is labeled biased, and nowhere else.
            assert gradient == "sticking_the_landing"
            assert not bound.linear
            assert error > 0.02
    assert estimators["sticking_the_landing"].unbiased == (name == "elbo")
    assert GRADIENTS["sticking_the_landing"](1, bound=bound).unbiased


def test_the_bias_of_sticking_the_landing_is_the_scores_covariance_with_the_weights():
    """Its bias on IWAE is E[sum_k v_k grad log q(z_k)], here by quadrature."""
    means, truth = exact(IWAE, {"stl": GRADIENTS["sticking_the_landing"](2, bound=IWAE)})
    np.testing.assert_allclose(means["stl"] - truth, [*scored(), 0.0], atol=2e-4)


def test_with_the_posterior_sticking_the_landing_and_dreg_have_no_noise():
    """Prior N(m, 2), likelihood N(z; .8) at -.5."""
    precision = 1 / 4 + 1 / 0.64
    params = PARAMS | {
        "mean": jnp.asarray((1.0 / 4 - 0.5 / 0.64) / precision),
        "log_scale": jnp.asarray(-0.5 * np.log(precision)),
    }
    for bound in (SMOOTH["iwae"], SMOOTH["renyi"]):
        for name in OF_A_PATH:
            estimator = GRADIENTS[name](2, bound=bound)
            draws = jax.jit(jax.vmap(lambda e, s=estimator: gradient_at(e, s, params)))(
                NOISE[::100]
            )
            noise = np.max(np.abs(draws[:, :2]))
            assert noise > 0.1 if name == "pathwise" else noise < 1e-5


LOG_JOINT = jnp.asarray(np.random.default_rng(4).normal(size=4) * 2)
LOGITS = jnp.array([0.3, -0.2, 0.9, 0.1])


def enumerated(bound, estimators, num_sets=1, num_samples=2):
    """Means of the estimators' gradients, and the truth, over all tuples of a categorical q."""

    def gradient(estimator, samples):
        def surrogate(logits):
            q = distrax.Categorical(logits)
            f = lambda z, q=q: LOG_JOINT[z] - q.log_prob(z)  # noqa: E731
            samples_of = samples.reshape(num_sets, -1) if "sets" in estimator.name else samples
            return estimator.apply((), jax.random.key(0), f, replay(q, samples_of))[0]

        return jax.grad(surrogate)(LOGITS)

    def truth(logits):
        log_probs = jax.nn.log_softmax(logits)
        drawn = jnp.indices((4,) * num_samples).reshape(num_samples, -1).T
        probs = jnp.exp(jnp.sum(log_probs[drawn], axis=1))
        return probs @ jax.vmap(bound)((LOG_JOINT - log_probs)[drawn])

    space = sample_space(distrax.Categorical(LOGITS), num_samples * num_sets)
    of = lambda e: exact_moments(partial(gradient, e), *space).mean  # noqa: E731
    return jax.jit(lambda: ([of(e) for e in estimators], jax.grad(truth)(LOGITS)))()


@pytest.mark.parametrize("bound", EVERY, ids=lambda bound: bound.name)
def test_with_a_discrete_q(bound):
    num_samples = 4 if bound == miwae(2) else 2
    names = [name for name in ("score_function", "vimco", "ovis") if takes(name, bound)]
    estimators = [GRADIENTS[name](num_samples, bound=bound) for name in names]
    for mean in (told := enumerated(bound, estimators, num_samples=num_samples))[0]:
        np.testing.assert_allclose(mean, told[1], atol=1e-5)


def test_a_mean_over_sets_has_the_mean_gradient_of_the_sets():
    """Four draws, by every path: so what holds of IWAE of two holds of MIWAE of two sets."""
    noise = jnp.array([0.3, -1.1, 0.8, 2.0])

    def both(name):
        sets = [gradient_at(e, GRADIENTS[name](2, bound=IWAE)) for e in noise.reshape(2, 2)]
        return gradient_at(noise, GRADIENTS[name](4, bound=miwae(2))), sum(sets) / 2

    for found, expected in jax.jit(lambda: [both(name) for name in OF_A_PATH])():
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_sets_judge_each_other():
    estimator = over_sets(
        2, estimator=score_function(2, baseline=leave_one_out()), bound=renyi(0.5)
    )
    (found,), expected = enumerated(renyi(0.5), [estimator], 2)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert estimator.unbiased
    assert estimator.evaluations(distrax.Categorical(LOGITS)) == 4


def test_invalid_pairs_are_refused_by_name():
    for name, bounds in REFUSED.items():
        for bound in bounds:
            refusal = rf"bound: got {re.escape(bound.name)}, .* another gradient: .*vimco"
            with pytest.raises(ValueError, match=refusal):
                GRADIENTS[name](2, bound=bound)
    normal = distrax.Normal(0.0, 1.0)
    f = lambda z, q=None, prior=normal: 1.0 * z  # noqa: E731
    for name in OF_A_PATH:
        with pytest.raises(ValueError, match=r"q: .*reparameterizable.*score function"):
            GRADIENTS[name](2, bound=IWAE).apply((), jax.random.key(0), f, distrax.Bernoulli(0.0))
    for gradient in GRADIENTS.values():
        with pytest.raises(ValueError, match=r"num_samples: got 0, expected an integer >= [12]"):
            gradient(0, bound=IWAE)


@pytest.mark.parametrize("name", GRADIENTS)
def test_weights_of_zero_are_said_and_neither_value_nor_gradient_is_nan(name):
    """By every bound, with all weights zero and with some."""
    others = [*SMOOTH.values(), renyi(0.999), renyi(1.001), miwae(2)]
    bounds = [IWAE] if name == "ovis" else others

    def surrogates(params, threshold):
        q = q_of(params)
        prior = distrax.Normal(params["prior_mean"], 2.0)

        def f(z, q=q, prior=prior):
            return jnp.where(z > threshold, -jnp.inf, log_weight(params)(z, q, prior))

        told = [GRADIENTS[name](8, bound=b).apply((), jax.random.key(0), f, q) for b in bounds]
        values = jnp.stack([value for value, _ in told])
        return values, (values, jnp.stack([estimate.all_finite for _, estimate in told]))

    both = jax.vmap(jax.jacfwd(surrogates, has_aux=True), (None, 0))
    gradients, (values, all_finite) = jax.jit(both)(PARAMS, jnp.array([-jnp.inf, 0.3]))
    assert not np.isnan(values).any()
    assert not np.asarray(all_finite)[np.isneginf(values)].any()
    np.testing.assert_array_equal(values[0], -jnp.inf)
    one_is_enough = {
        *("elbo", "ciwae(0.3)", "thermodynamic lower(0.4)", "renyi(2)", "renyi(1.001)")
    }
    np.testing.assert_array_equal(np.isneginf(values[1]), [b.name in one_is_enough for b in bounds])
    for gradient in gradients.values():
        np.testing.assert_array_equal(gradient[0], 0.0)  # no direction in which to climb
        assert np.isfinite(gradient[1]).all()


def test_slopes_of_the_signal_to_noise_ratio_in_the_number_of_samples():
    """Rainforth et al. (2018): the pathwise gradient's falls as K^-1/2; DReG's grows as K^1/2."""
    counts, draws = (4, 16, 64), 10_000

    def snr(name, num_samples):
        noise = np.random.default_rng(num_samples).normal(size=(draws, num_samples))
        estimator = GRADIENTS[name](num_samples, bound=IWAE)
        grads = jax.jit(jax.vmap(lambda e: gradient_at(e, estimator)[1]))(jnp.asarray(noise))
        return abs(float(grads.mean())) / float(grads.std())

    slopes = {
        name: np.polyfit(np.log(counts), np.log([snr(name, k) for k in counts]), 1)[0]
        for name in ("pathwise", "doubly_reparameterized")
    }
    print(slopes)
    assert -0.75 < slopes["pathwise"] < -0.25
    assert 0.35 < slopes["doubly_reparameterized"] < 0.65
