"""log q held where its score is left out, wherever q keeps its parameters; what then is refused."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from laws import LawBroken, rejected
from scipy import stats
from tensorflow_probability.substrates import jax as tfp

from jaxgen.distributions import FunctionDistribution, IsotropicMixture
from jaxgen.estimators import (
    ESTIMATORS,
    doubly_reparameterized,
    enumeration,
    gumbel_straight_through,
    leave_one_out,
    local_expectation,
    log_prob,
    measure_valued,
    muprop,
    pathwise,
    relax_black_box,
    relaxed,
    score_function,
    sticking_the_landing,
    straight_through,
    vimco,
)
from jaxgen.estimators.evaluation import with_float32_params

STANDARD = distrax.MultivariateNormalDiag(jnp.zeros(2), jnp.ones(2))


def coupling(params):
    return distrax.MaskedCoupling(
        mask=jnp.array([True, False]),
        conditioner=lambda z: jnp.stack([params["log_scale"], z + params["mean"]], axis=-1),
        bijector=lambda at: distrax.ScalarAffine(at[..., 0], log_scale=at[..., 1]),
    )


def by_lambdas(params):
    mean, log_scale = params["mean"], params["log_scale"]
    return distrax.Lambda(
        forward=lambda z: mean + jnp.exp(log_scale) * z,
        inverse=lambda z: (z - mean) * jnp.exp(-log_scale),
        forward_log_det_jacobian=lambda z: jnp.sum(log_scale),
        inverse_log_det_jacobian=lambda z: -jnp.sum(log_scale),
        event_ndims_in=1,
    )


def by_functions(params):
    def sample(key, _):
        return params["mean"] + jnp.exp(params["log_scale"]) * jax.random.normal(key, (2,))

    def log_prob(_, z):
        return distrax.Independent(
            distrax.Normal(params["mean"], jnp.exp(params["log_scale"])), 1
        ).log_prob(z)

    return FunctionDistribution((), (2,), sample, log_prob)


def with_scale(make):
    return lambda params: make(params["mean"], jnp.exp(params["log_scale"]))


GAUSSIANS = {
    "Independent": with_scale(lambda m, s: distrax.Independent(distrax.Normal(m, s), 1)),
    "diag": with_scale(distrax.MultivariateNormalDiag),
    "tri": with_scale(lambda m, s: distrax.MultivariateNormalTri(m, jnp.diag(s))),
    "low rank": with_scale(
        lambda m, s: distrax.MultivariateNormalDiagPlusLowRank(m, s, jnp.zeros((2, 1)))
    ),
    "TFP": with_scale(tfp.distributions.MultivariateNormalDiag),
    "lambdas": lambda params: distrax.Transformed(STANDARD, by_lambdas(params)),
    "functions": by_functions,
}
REPARAMETERIZED = GAUSSIANS | {
    "coupling": lambda params: distrax.Transformed(STANDARD, coupling(params))
}
PARAMS = {"mean": jnp.array([0.3, -0.2]), "log_scale": jnp.array([0.1, -0.3])}


def gradient(estimator, make, log_joint):
    def surrogate(params):
        q = make(params)
        f = lambda z, q=q: log_joint(z) - q.log_prob(z)  # noqa: E731
        return estimator.apply((), jax.random.key(0), f, q)[0]

    return jax.jit(jax.grad(surrogate))(PARAMS)


def assert_zero(tree):
    if max(float(jnp.max(jnp.abs(leaf))) for leaf in jax.tree.leaves(tree)) > 1e-5:
        raise LawBroken(f"not zero: {tree}")


@pytest.mark.parametrize("name", REPARAMETERIZED)
def test_at_the_posterior_no_draw_has_a_gradient(name):
    make = REPARAMETERIZED[name]
    assert_zero(gradient(sticking_the_landing(2), make, make(PARAMS).log_prob))


def test_stopping_what_a_pytree_shows_is_not_enough():
    make = GAUSSIANS["diag"]
    with rejected():
        assert_zero(
            jax.grad(
                lambda params: pathwise(2).apply(
                    (),
                    jax.random.key(0),
                    lambda z: (
                        make(PARAMS).log_prob(z) - jax.lax.stop_gradient(make(params)).log_prob(z)
                    ),
                    make(params),
                )[0]
            )(PARAMS)
        )


@pytest.mark.parametrize("name", ["diag", "low rank", "lambdas"])
def test_the_doubly_reparameterized_gradient_is_that_of_any_spelling(name):
    """All draw with the same noise."""

    def found(make):
        return gradient(doubly_reparameterized(2), make, lambda z: -jnp.sum(z**2))

    for ours, theirs in zip(
        *(jax.tree.leaves(found(GAUSSIANS[n])) for n in (name, "Independent")), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


MODES = jnp.array([[1.0], [-1.0]])


def moving_modes(w, modes):
    pick = jax.jit(lambda key, w, modes: modes[(jax.random.normal(key) < w).astype(int)])
    return FunctionDistribution((), (), lambda key, _: pick(key, w, modes), lambda _, z: -(z**2))


JUMPING = {
    "two": lambda w: distrax.MixtureOfTwo(
        jax.nn.sigmoid(w), distrax.Normal(1.0, 1.0), distrax.Normal(-1.0, 1.0)
    ),
    "family": lambda w: distrax.MixtureSameFamily(
        distrax.Categorical(jnp.stack([w, -w])), distrax.Normal(MODES[:, 0], jnp.ones(2))
    ),
    "gathered": lambda w: IsotropicMixture(MODES, 1.0, jax.nn.softmax(jnp.stack([w, -w]))),
    "captured": lambda w: FunctionDistribution(
        (), (), lambda key, _: jnp.sign(jax.random.normal(key) + w), lambda _, z: -(z**2)
    ),
    "jitted": lambda w: moving_modes(w, jnp.exp(w) * MODES[:, 0]),
}


@pytest.mark.parametrize("make", [pathwise, doubly_reparameterized, sticking_the_landing])
@pytest.mark.parametrize("name", JUMPING)
def test_jumps_are_refused_wherever_they_are(name, make):
    def surrogate(w):
        q = JUMPING[name](w)
        return make(2).apply((), jax.random.key(0), lambda z, q=q: jnp.sum(z), q)[0]

    with pytest.raises(ValueError, match="some parameter moves only in jumps"):
        jax.eval_shape(jax.grad(surrogate), 0.3)


ONCE = {name: ESTIMATORS[name] for name in ("arm", "disarm", "rebar", "local_expectation")} | {
    "vimco": vimco,
    "measure_valued": measure_valued,
    "score_function": lambda n: score_function(n),
    "relax_black_box": lambda n: relax_black_box(
        n, network_init=lambda key, z, x: z, network_apply=lambda w, z, x: w * jnp.tanh(z)
    ),
}
ONCE_IN_Z = {"dreg": doubly_reparameterized, "sticking_the_landing": sticking_the_landing}


def second(make, of_logit):
    estimator = make(2)

    def surrogate(logit):
        q = of_logit(logit)
        f = lambda z, q=q: (z - 0.45) ** 2 - 0.1 * q.log_prob(z)  # noqa: E731
        return estimator.apply(estimator.init(jax.random.key(1), q), jax.random.key(0), f, q)[0]

    return jax.grad(jax.grad(surrogate))


@pytest.mark.parametrize("name", ONCE | ONCE_IN_Z)
def test_a_second_derivative_that_would_be_wrong_is_refused(name):
    """Of each, second derivatives were zero, or lacked the score that is left out."""
    of_logit = (lambda x: distrax.Normal(x, 1.0)) if name in ONCE_IN_Z else distrax.Bernoulli
    with pytest.raises(ValueError, match="surrogate: got differentiated twice"):
        jax.eval_shape(second((ONCE | ONCE_IN_Z)[name], of_logit), 0.3)


def test_other_second_derivatives_are_not_refused():
    """Twice in what f depends on besides; in q, of an estimator that has all orders."""

    def in_theta(theta):  # log 1/2 sum_i exp (z_i - theta)², the bound at two draws
        return vimco(2).apply(
            (), jax.random.key(0), lambda z: (z - theta) ** 2, distrax.Bernoulli(0.3)
        )[0]

    value, found = jax.jit(lambda x: (in_theta(x), jax.grad(jax.grad(in_theta))(x)))(0.0)
    ones = np.rint((2 * np.exp(value) - 2) / (np.e - 1))  # among the draws
    between = np.e / (1 + np.e) ** 2 if ones == 1 else 0.0
    np.testing.assert_allclose(found, 2 + 4 * between, rtol=1e-5)
    # z is mean + noise: of (z - .45)² the second derivative is 2, of log q(z) zero.
    by_path = jax.jit(second(lambda n: pathwise(n), lambda mean: distrax.Normal(mean, 1.0)))
    np.testing.assert_allclose(by_path(0.3), 2.0, rtol=1e-5)


LOGITS = jnp.array([0.0, -jnp.inf, 1.0])
MASKED = {
    "score_function": score_function(2),
    "leave_one_out": score_function(2, baseline=leave_one_out()),
    "vimco": vimco(2),
    "relaxed": relaxed(2),
    "straight_through": straight_through(2),
    "gumbel_straight_through": gumbel_straight_through(2),
    "local_expectation": local_expectation(2),
    "enumeration": enumeration(),
}


def masked(estimator, f):
    """Gradient and all_finite at LOGITS; all_finite where one of them is NaN."""

    def surrogate(logits):
        q = distrax.OneHotCategorical(logits)
        value, estimate = estimator.apply((), jax.random.key(0), f, q)
        return value, estimate.all_finite

    both = jnp.stack([LOGITS, LOGITS.at[0].set(jnp.nan)])
    found = jax.jit(jax.vmap(jax.value_and_grad(surrogate, has_aux=True)))(both)
    (values, finite), grads = jax.device_get(found)
    assert np.isfinite(values[0])
    return grads[0], *finite


@pytest.mark.parametrize("name", MASKED)
def test_a_masked_state_is_no_fault(name):
    values = jnp.array([0.5, 3.0, -1.0])
    grad, finite, of_nan = masked(MASKED[name], lambda z: z @ values)
    assert finite
    assert not of_nan
    assert np.isfinite(grad).all()
    assert grad[1] == 0


@pytest.mark.parametrize("name", ["local_expectation", "enumeration"])
def test_a_sum_over_states_leaves_out_the_impossible(name):
    """Where f may be anything: here it is infinite."""
    f = lambda z: jnp.where(z[1] == 1, jnp.inf, z @ jnp.array([0.5, 0.0, -1.0]))  # noqa: E731
    grad, finite, _ = masked(MASKED[name], f)
    p = jax.nn.sigmoid(1.0)  # of the last state; the gradient in its logit is -1.5 p (1 - p)
    assert finite
    np.testing.assert_allclose(grad[2], -1.5 * p * (1 - p), rtol=1e-5)


def test_probabilities_without_logits_are_said():
    q = distrax.Bernoulli(probs=1.0)
    assert not score_function(1).apply((), jax.random.key(0), lambda b: b * 1.0, q)[1].all_finite


def test_measure_valued_draws_no_infinity():
    """Rayleigh's of jax.random is infinite once in 2^23 draws, with this key for one."""
    q = distrax.Normal(0.0, 1.0)
    apply = jax.jit(lambda key: measure_valued(1000).apply((), key, lambda z: z**2, q)[1])
    assert apply(jax.random.key(11195)).all_finite


def test_muprop_refuses_a_mean_that_is_no_expectation():
    q = tfp.distributions.VonMises(0.3, 2.0)
    with pytest.raises(ValueError, match="q: got VonMises, whose mean"):
        score_function(2, baseline=muprop()).apply((), jax.random.key(0), jnp.cos, q)


@pytest.mark.parametrize(
    ("loc", "scale", "wide"),
    [
        ("bfloat16", "float32", "float32"),
        ("float32", "bfloat16", "float32"),
        ("float16", "float64", "float64"),
        ("float64", "bfloat16", "float64"),
    ],
)
def test_a_normal_of_mixed_precisions_is_of_the_wider(loc, scale, wide, x64):
    """784 dimensions: in the narrower the sum is off by nats."""
    loc, scale = jnp.full(784, 0.3, loc), jnp.full(784, 0.7, scale)
    q = with_float32_params(distrax.MultivariateNormalDiag(loc, scale))
    assert q.loc.dtype == q.scale_diag.dtype == wide
    z = jnp.asarray(np.random.default_rng(0).normal(size=784), wide)
    exact = stats.norm(float(loc[0]), float(scale[0])).logpdf(np.asarray(z, float)).sum()
    found = q.log_prob(z)
    assert found.dtype == wide
    np.testing.assert_allclose(found, exact, rtol=1e-6 if wide == "float32" else 1e-12)


def test_half_precision_is_widened_where_a_scale_is_kept_twice():
    """784 log densities in bfloat16 were off by more than a nat."""
    loc, scale = jnp.zeros(784, jnp.bfloat16), jnp.full(784, 0.3, jnp.bfloat16)
    z = 0.3 * jax.random.normal(jax.random.key(0), (2, 784))
    exact = distrax.Normal(0.0, scale[0].astype(jnp.float32)).log_prob(z).sum(axis=1)
    half = distrax.MultivariateNormalDiag(loc, scale)
    np.testing.assert_allclose(log_prob(half, z), exact, rtol=1e-5)
