"""What every estimator of discrete latents owes to its caller, besides its own law."""

import functools

import chex
import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import bernoulli_inside, by_name, one_hots, surrogate

from jaxgen.bounds import ELBO
from jaxgen.estimators import (
    arm,
    arms,
    carms,
    count_evaluations,
    disarm,
    double_control_variates,
    enumeration,
    gapped_straight_through,
    gumbel_rao,
    gumbel_straight_through,
    local_expectation,
    measure_valued,
    ovis,
    rebar,
    reinmax,
    relax,
    relax_black_box,
    relaxed,
    rodeo,
    straight_through,
    sum_and_sample,
    unordered_set,
    vimco,
)

LINEAR = {
    "network_init": lambda key, z, context: jnp.ones(()),
    "network_apply": lambda scale, z, context: scale * jnp.sum(z),
}
ANTITHETIC = [arm(4), disarm(4), arms(4)]
RELAXABLE = [
    relaxed(4),
    straight_through(4),
    gumbel_straight_through(4),
    gumbel_rao(4),
    gapped_straight_through(4),
    reinmax(4),
    double_control_variates(4),
    rodeo(4),
    rebar(4),
    relax(4, **LINEAR),
    relax_black_box(4, **LINEAR),
]
ALL = [*ANTITHETIC, carms(4), unordered_set(4), sum_and_sample(4), *RELAXABLE, vimco(4), ovis(4)]
PROBLEM = bernoulli_inside


def gradient(estimator, params, key):
    """The gradient of bernoulli_inside, and the Estimate."""
    state = estimator.init(jax.random.key(1), PROBLEM.q(params), None)
    return jax.grad(surrogate(estimator, PROBLEM, state), has_aux=True)(params, key)


@functools.cache
def compiled(estimator):
    return jax.jit(functools.partial(gradient, estimator))


@pytest.mark.parametrize("estimator", ALL, ids=by_name)
def test_vmap_and_scan_and_jit_agree(estimator, key):
    """A batch of datapoints by vmap, by scan, and one by one."""
    keys = jax.random.split(key, 3)
    params = jax.tree.map(lambda p: jnp.stack([p, 0.5 * p, -p]), PROBLEM.params)
    one = lambda params, key: gradient(estimator, params, key)[0]  # noqa: E731
    batched = jax.jit(jax.vmap(one))(params, keys)
    same_keys = jax.random.clone(keys)
    _, scanned = jax.lax.scan(lambda _, x: (None, one(*x)), None, (params, same_keys))
    chex.assert_trees_all_close(batched, scanned, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("estimator", ALL, ids=by_name)
@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf])
def test_logits_that_are_not_finite_are_reported(estimator, bad, key):
    good, wrong = jax.random.split(key)
    assert compiled(estimator)(PROBLEM.params, good)[1].all_finite
    params = PROBLEM.params | {"logits": PROBLEM.params["logits"].at[1].set(bad)}
    assert not compiled(estimator)(params, wrong)[1].all_finite


@pytest.mark.parametrize("estimator", ALL, ids=by_name)
def test_evaluations_are_counted(estimator, key):
    """Every sample that f sees, hard or relaxed, forwards."""
    seen = []

    def f(z):
        jax.debug.callback(lambda _: seen.append(1), z)
        return jnp.sum(z * 1.0)

    q = PROBLEM.q(PROBLEM.params)
    state = estimator.init(jax.random.key(1), q, None)
    values = jax.jit(lambda key: estimator.apply(state, key, f, q)[1].values)(key)
    jax.block_until_ready(values)
    jax.effects_barrier()
    assert len(seen) == count_evaluations(estimator, q)


@pytest.mark.parametrize(
    "estimator",
    [*ANTITHETIC, carms(4), unordered_set(4), sum_and_sample(4), *RELAXABLE],
    ids=by_name,
)
def test_a_continuous_q_is_refused(estimator, key):
    with pytest.raises(ValueError, match=r"q: got Normal, expected distrax\.Bernoulli"):
        estimator.apply((), key, jnp.sum, distrax.Normal(0.0, 1.0))


@pytest.mark.parametrize("estimator", [*ANTITHETIC, rodeo(4)], ids=by_name)
def test_antithetic_pairs_are_of_bits(estimator, key):
    with pytest.raises(ValueError, match=r"q: got OneHotCategorical, expected distrax\.Bernoulli"):
        estimator.apply((), key, jnp.sum, one_hots.q(one_hots.params))


@pytest.mark.parametrize("estimator", [*ALL, enumeration(), local_expectation(4)], ids=by_name)
def test_a_batch_of_distributions_is_refused(estimator, key):
    q = distrax.Bernoulli(jnp.zeros(3))
    with pytest.raises(ValueError, match=r"q: got .*batch shape \(3,\).*Independent"):
        estimator.apply((), key, jnp.sum, q)


@pytest.mark.parametrize("estimator", ALL, ids=by_name)
def test_f_of_many_numbers_is_refused(estimator, key):
    key_init, key_apply = jax.random.split(key)
    q = PROBLEM.q(PROBLEM.params)
    state = estimator.init(key_init, q, None)
    with pytest.raises(ValueError, match=r"f: got shape \(3,\)"):
        estimator.apply(state, key_apply, lambda z: z * 1.0, q)


@pytest.mark.parametrize("estimator", [*RELAXABLE, *ANTITHETIC], ids=by_name)
def test_samples_are_floats_of_the_event_shape(estimator, key):
    """Whatever the dtype of q."""
    q = distrax.Independent(distrax.Bernoulli(jnp.zeros((2, 3)), dtype=bool), 2)

    def f(z):
        assert z.shape == (2, 3)
        assert z.dtype == jnp.float32
        return jnp.sum(z)

    state = estimator.init(jax.random.key(1), q, None)
    _, estimate = jax.eval_shape(lambda key: estimator.apply(state, key, f, q), key)
    assert estimate.values.shape == (4,)


def test_probs_are_as_good_as_logits(key):
    """The gradient goes on from the logits to whatever q was made of."""
    probs = jnp.array([0.2, 0.6])

    def of_probs(probs, key):
        q = distrax.Independent(distrax.Bernoulli(probs=probs), 1)
        return disarm(4).apply((), key, lambda b: jnp.prod(b + 1), q)[0]

    def of_logits(logits, key):
        q = distrax.Independent(distrax.Bernoulli(logits), 1)
        return disarm(4).apply((), key, lambda b: jnp.prod(b + 1), q)[0]

    ours = jax.grad(of_probs)(probs, key)
    theirs = jax.grad(of_logits)(jax.scipy.special.logit(probs), jax.random.clone(key))
    np.testing.assert_allclose(ours, theirs / (probs * (1 - probs)), rtol=1e-5)


@pytest.mark.parametrize(
    "estimator",
    [
        *ANTITHETIC,
        carms(4),
        unordered_set(4),
        sum_and_sample(4),
        *RELAXABLE,
        local_expectation(4),
        measure_valued(4),
        vimco(4, bound=ELBO),
    ],
    ids=by_name,
)
def test_the_score_of_log_q_inside_f_is_left_out(estimator, key):
    """f(z, q=q) is differentiated with q's params held, as the ELBO allows."""
    params = jnp.array([0.2, -0.8, 1.1])

    def bounds(params):
        q = distrax.Independent(distrax.Bernoulli(params, dtype=jnp.float32), 1)
        held = jax.lax.stop_gradient(q)
        state = estimator.init(jax.random.key(1), q, None)

        def bound(f):
            return estimator.apply(state, jax.random.clone(key), f, q)[0]

        return jnp.stack(
            [
                bound(lambda z, q=q: jnp.sum(z) ** 2 - q.log_prob(z)),
                bound(lambda z: jnp.sum(z) ** 2 - held.log_prob(z)),
            ]
        )

    ours, theirs = jax.jit(jax.jacobian(bounds))(params)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize(
    "estimator", [local_expectation(5000), disarm(5000), measure_valued(5000)], ids=by_name
)
def test_half_precision_adds_up_thousands_of_samples(estimator, key):
    """Local expectations were 0 at 5,000 samples; the gradient of Tucker's toy is .0244."""

    def surrogate(logit):
        q = distrax.Bernoulli(logit, dtype=jnp.bfloat16)
        return estimator.apply((), key, lambda b: (b - 0.45) ** 2, q)[0]

    value, grad = jax.jit(jax.value_and_grad(surrogate))(jnp.array(0.3, jnp.bfloat16))
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(grad.astype(float), 0.0244, rtol=0.05)


def test_a_million_samples_are_added_up(key):
    """One after the other in float32, they gave .0235."""

    def surrogate(logit):
        q = distrax.Bernoulli(logit, dtype=jnp.float32)
        return local_expectation(1_000_000).apply((), key, lambda b: (b - 0.45) ** 2, q)[0]

    np.testing.assert_allclose(jax.jit(jax.grad(surrogate))(0.3), 0.0244458, rtol=1e-4)
