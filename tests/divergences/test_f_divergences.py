"""The table of f-divergences: conjugates by brute force, bounds by quadrature, stable forms."""

import math
import subprocess
import sys

import gaussians
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gaussians import GRID, PAIRS, exact, expect, log_normal
from scipy import stats

from jaxgen.divergences import (
    DIVERGENCES,
    alpha_divergence,
    check_divergence,
    discrete_divergence,
    f_divergence,
    gaussian_alpha_divergence,
    variational_bound,
    weighted_jensen_shannon,
)

D = {
    **DIVERGENCES,
    "alpha -1": alpha_divergence(-1.0),
    "alpha .3": alpha_divergence(0.3),
    "weight .2": weighted_jensen_shannon(0.2),
}


def jensen_shannon(u, w):
    mixed = 1 - w + w * u
    return w * u * np.log(u) - mixed * np.log(mixed)


def alpha(u, a):
    return (u**a - 1 - a * (u - 1)) / (a * (a - 1))


# The generators as the literature prints them, in NumPy.
PRINTED = {
    "total_variation": lambda u: np.abs(u - 1) / 2,
    "kl": lambda u: u * np.log(u),
    "reverse_kl": lambda u: -np.log(u),
    "pearson": lambda u: (u - 1) ** 2,
    "neyman": lambda u: (1 - u) ** 2 / u,
    "squared_hellinger": lambda u: (np.sqrt(u) - 1) ** 2,
    "jeffrey": lambda u: (u - 1) * np.log(u),
    "jensen_shannon": lambda u: u * np.log(u) - (u + 1) * np.log((1 + u) / 2),
    "weighted_jensen_shannon": lambda u: jensen_shannon(u, 0.5),
    "gan": lambda u: u * np.log(u) - (u + 1) * np.log(u + 1),
    "alpha": lambda u: alpha(u, 1.5),
    "alpha -1": lambda u: alpha(u, -1),
    "alpha .3": lambda u: alpha(u, 0.3),
    "weight .2": lambda u: jensen_shannon(u, 0.2),
}
CURVATURES = {"total_variation": None, "kl": 1, "reverse_kl": 1, "pearson": 2, "neyman": 2}
CURVATURES |= {"squared_hellinger": 0.5, "jeffrey": 2, "jensen_shannon": 0.5, "gan": 0.5}
CURVATURES |= {"weighted_jensen_shannon": 0.25, "weight .2": 0.16}


def both_ends(name):
    """Points of the domain, up to near its ends or to ±4."""
    low, high = D[name].domain
    return np.linspace(max(low + 1e-3, -4.0), min(high - 1e-3, 4.0), 23)


@pytest.mark.parametrize("name", D)
def test_the_conjugate_is_the_supremum_by_brute_force(name, x64):
    u = np.exp(np.linspace(-20.0, 20.0, 200_001))
    t = both_ends(name)
    supremum = [np.max(u * point - PRINTED[name](u)) for point in t]
    np.testing.assert_allclose(D[name].conjugate(jnp.asarray(t)), supremum, rtol=1e-6, atol=1e-6)
    u = u[::999]
    np.testing.assert_allclose(D[name].f(jnp.asarray(u)), PRINTED[name](u), atol=1e-3, rtol=1e-7)
    for outside in (D[name].domain[0] - 0.1, D[name].domain[1] + 0.1):
        if math.isfinite(outside):
            assert D[name].conjugate(jnp.array(outside)) == jnp.inf


@pytest.mark.parametrize("name", D)
def test_the_parts_fit_and_have_the_curvature_of_the_table(name):
    """Young's equality, the activation into the domain and increasing, fused forms as composed."""
    check_divergence(D[name])
    assert D[name].curvature == pytest.approx(CURVATURES.get(name, 1))
    if D[name].curvature is not None:
        with jax.enable_x64(True):
            second = jax.grad(jax.grad(D[name].f))(1.0)
            assert D[name].curvature == pytest.approx(float(second))
            slope = float(jax.grad(D[name].f)(1.0))
        # The raw output of zero is the threshold where the two densities are equal.
        assert float(D[name].canonical(jnp.array(0.0))) == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("name", D)
def test_the_canonical_bound_is_tight_at_the_true_ratio_and_below_elsewhere(name, pair, x64):
    (mean_p, sd_p), (mean_q, sd_q) = PAIRS[pair]
    log_p, log_q = log_normal(mean_p, sd_p), log_normal(mean_q, sd_q)
    truth = exact(log_p, log_q, D[name])

    def bound(v):
        terms = variational_bound(v, v, D[name])
        return float(expect(log_p, terms.p) - expect(log_q, terms.q))

    ratio = log_p - log_q
    assert bound(ratio) == pytest.approx(truth, abs=2e-4 if name == "total_variation" else 1e-9)
    for wrong in (
        ratio + 0.2,
        ratio - 0.2,
        0.9 * ratio,
        ratio + 0.3 * jnp.sin(3 * GRID),
        0 * ratio,
    ):
        # The step of total variation gives the same bound wherever the sign is right.
        assert bound(wrong) <= truth + (2e-4 if name == "total_variation" else -1e-5)
    # With a conjugate that is too small the bound is none.
    terms = variational_bound(ratio, ratio, D[name])
    broken = float(expect(log_p, terms.p) - expect(log_q, terms.q - 0.01))
    assert broken > truth + 1e-3


SMOOTH = [name for name in D if D[name].curvature is not None]


def gradients(name, of_samples):
    """The gradients in q's mean: of D_f by quadrature, of `of_samples(v)` with the best critic."""
    divergence = D[name]
    (mean_p, sd_p), (mean_q, sd_q) = PAIRS["wider"]
    noise, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()

    def log_density(x, mean, sd):
        return -0.5 * ((x - mean) / sd) ** 2 - jnp.log(sd)

    def ratio(x):  # the best critic, which stays as it is while the generator moves
        return log_density(x, mean_p, sd_p) - log_density(x, mean_q, sd_q)

    def value(mean):
        log_q = log_density(GRID, mean, sd_q) - 0.5 * np.log(2 * np.pi)
        log_p = log_density(GRID, mean_p, sd_p) - 0.5 * np.log(2 * np.pi)
        return expect(log_q, divergence.f(jnp.exp(log_p - log_q)))

    def loss(mean):
        return jnp.sum(weights * of_samples(divergence, ratio(mean + sd_q * noise)))

    return float(jax.grad(value)(mean_q)), float(jax.grad(loss)(mean_q))


@pytest.mark.parametrize("name", SMOOTH)
def test_the_generators_gradient_with_the_best_critic_is_the_divergences(name, x64):
    truth, generator = gradients(name, lambda d, v: -d.canonical_conjugate(v))
    assert generator == pytest.approx(truth, rel=1e-6)
    # The trick of raising the critic's value instead climbs elsewhere.
    _, trick = gradients(name, lambda d, v: -d.canonical(v))
    assert abs(trick - truth) > 0.01


def test_the_minimax_value_is_two_jsd_less_log_4(x64):
    log_p, log_q = (log_normal(*side) for side in PAIRS["shifted"])
    log_m = jnp.logaddexp(log_p, log_q) - np.log(2)
    jsd = float(expect(log_p, log_p - log_m) + expect(log_q, log_q - log_m)) / 2
    critic = jax.nn.sigmoid(log_p - log_q)
    minimax = float(expect(log_p, jnp.log(critic)) + expect(log_q, jnp.log1p(-critic)))
    assert minimax == pytest.approx(2 * jsd - np.log(4), abs=1e-9)
    # Which of them a name means: the table's f is that of twice the JSD, the weighted form the JSD.
    assert exact(log_p, log_q, D["gan"]) == pytest.approx(minimax, abs=1e-9)
    assert exact(log_p, log_q, D["jensen_shannon"]) == pytest.approx(2 * jsd, abs=1e-9)
    assert exact(log_p, log_q, D["weighted_jensen_shannon"]) == pytest.approx(jsd, abs=1e-9)
    for divergence in D.values():
        assert exact(log_p, log_p, divergence) == pytest.approx(divergence.at_one, abs=1e-9)
    assert D["gan"].at_one == pytest.approx(-np.log(4))


@pytest.mark.parametrize(
    ("name", "value", "mean", "sd"),
    [
        ("kl", 0.2831, 1.0100, 1.8307),
        ("reverse_kl", 0.2482, 1.5781, 1.6312),
        ("jensen_shannon", 0.1281, 1.3068, 1.7540),
        ("jeffrey", 0.5708, 1.3216, 1.7029),
        ("pearson", 0.6458, 0.5737, 1.9273),
    ],
)
def test_divergences_of_the_published_mixture_fit(name, value, mean, sd, x64):
    came = exact(gaussians.log_mixture(), log_normal(mean, sd), D[name])
    assert came == pytest.approx(value, abs=6e-5)


@pytest.mark.parametrize("pair", PAIRS)
def test_gaussian_closed_forms_against_quadrature(pair, x64):
    (mean_p, sd_p), (mean_q, sd_q) = PAIRS[pair]
    log_p, log_q = log_normal(mean_p, sd_p), log_normal(mean_q, sd_q)

    def closed(alpha):
        """In one dimension, and in two that are alike."""
        return [
            float(
                gaussian_alpha_divergence(
                    *(jnp.full(dims, x) for x in (mean_p, sd_p, mean_q, sd_q)), alpha
                )
            )
            for dims in (1, 2)
        ]

    combined = {
        "kl": closed(1.0)[0],
        "reverse_kl": closed(0.0)[0],
        "jeffrey": closed(0.0)[0] + closed(1.0)[0],
        "pearson": 2 * closed(2.0)[0],
        "neyman": 2 * closed(-1.0)[0],
        "squared_hellinger": closed(0.5)[0] / 2,
        "alpha": closed(1.5)[0],
    }
    for name, value in combined.items():
        assert value == pytest.approx(exact(log_p, log_q, D[name]), rel=1e-9), name
    # Two independent dimensions: KL adds, one plus chi² multiplies.
    assert closed(1.0)[1] == pytest.approx(2 * closed(1.0)[0])
    assert 1 + 2 * closed(2.0)[1] == pytest.approx((1 + 2 * closed(2.0)[0]) ** 2)
    if sd_p == sd_q:
        total = 2 * stats.norm.cdf(abs(mean_p - mean_q) / 2 / sd_p) - 1
        assert total == pytest.approx(exact(log_p, log_q, D["total_variation"]), abs=1e-5)


def test_chi_squared_between_gaussians_is_infinite_unless_q_is_wide_enough():
    def pearson(sd_p, sd_q):
        zero = jnp.zeros(1)
        return 2 * gaussian_alpha_divergence(zero, jnp.array([sd_p]), zero, jnp.array([sd_q]), 2.0)

    assert pearson(1.5, 1.0) == jnp.inf  # 2 sd_q² = 2 < 2.25
    assert jnp.isfinite(pearson(1.4, 1.0))
    # One dimension is enough.
    zeros, ones = jnp.zeros(2), jnp.ones(2)
    one_of_two = gaussian_alpha_divergence(zeros, jnp.array([1.5, 0.5]), zeros, ones, 2.0)
    assert one_of_two == jnp.inf
    gradient = jax.grad(pearson, argnums=(0, 1))(1.5, 1.0)
    assert not any(jnp.isnan(g) for g in gradient)
    assert jnp.isnan(pearson(jnp.nan, 1.0))  # which is no infinite divergence


P, Q = jnp.array([0.5, 0.3, 0.2]), jnp.array([0.2, 0.2, 0.6])
APART = jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0])
P_WIDER = jnp.array([0.5, 0.5]), jnp.array([1.0, 0.0])
INFINITE = math.inf
# KL(p || m) + KL(q || m) of P_WIDER, whose middle m is (3/4, 1/4).
JS = 0.5 * math.log(2 / 3) + 0.5 * math.log(2) + math.log(4 / 3)


def test_duals_and_members_of_the_alpha_family():
    def value(divergence, p=P, q=Q):
        return pytest.approx(float(discrete_divergence(p, q, divergence)), rel=1e-5)

    def number(divergence, p=P, q=Q):
        return float(discrete_divergence(p, q, divergence))

    assert number(D["kl"]) == pytest.approx(float(jnp.sum(P * jnp.log(P / Q))), rel=1e-5)
    assert number(D["kl"]) == value(D["reverse_kl"], Q, P)
    assert number(D["pearson"]) == value(D["neyman"], Q, P)
    for a in (-1.0, 0.3, 2.0):
        assert number(alpha_divergence(a)) == value(alpha_divergence(1 - a), Q, P)
    assert 2 * number(alpha_divergence(2.0)) == value(D["pearson"])
    assert 2 * number(alpha_divergence(-1.0)) == value(D["neyman"])
    assert number(alpha_divergence(0.5)) / 2 == value(D["squared_hellinger"])
    assert number(alpha_divergence(1 + 1e-3)) == pytest.approx(number(D["kl"]), rel=1e-2)
    for name in ("total_variation", "squared_hellinger", "jeffrey", "jensen_shannon", "gan"):
        assert number(D[name]) == value(D[name], Q, P)  # symmetric
    assert number(D["kl"]) != value(D["kl"], Q, P)


@pytest.mark.parametrize(
    ("name", "apart", "p_wider", "q_wider"),
    [
        ("total_variation", 1.0, 0.5, 0.5),
        ("kl", INFINITE, INFINITE, math.log(2)),
        ("reverse_kl", INFINITE, math.log(2), INFINITE),
        ("pearson", INFINITE, INFINITE, 1.0),
        ("neyman", INFINITE, 1.0, INFINITE),
        ("squared_hellinger", 2.0, 2 - math.sqrt(2), 2 - math.sqrt(2)),
        ("jeffrey", INFINITE, INFINITE, INFINITE),
        ("jensen_shannon", 2 * math.log(2), JS, JS),
        ("weighted_jensen_shannon", math.log(2), JS / 2, JS / 2),
        ("gan", 0.0, JS - math.log(4), JS - math.log(4)),
        ("alpha", INFINITE, INFINITE, 4 / 3 * (math.sqrt(2) - 1)),
    ],
)
def test_infinite_cases_are_inf_and_the_others_their_limits(name, apart, p_wider, q_wider):
    for (p, q), expected in (
        (APART, apart),
        (P_WIDER, p_wider),
        (P_WIDER[::-1], q_wider),
    ):
        assert float(discrete_divergence(p, q, D[name])) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", D)
def test_stable_in_float32_at_any_critic_output(name):
    """Against float64, which does not overflow up to 80: inf only where the true value is."""
    wide = np.concatenate([np.linspace(-80.0, 80.0, 641), [-1e4, 1e4, -np.inf, np.inf]])
    with jax.enable_x64(True):
        forms = ("activation", "activated_conjugate", "canonical", "canonical_conjugate")
        truths = {form: np.asarray(getattr(D[name], form)(jnp.asarray(wide))) for form in forms}
    for form, truth in truths.items():
        came = np.asarray(getattr(D[name], form)(jnp.asarray(wide, jnp.float32)))
        assert came.dtype == np.float32
        assert not np.isnan(came).any(), form
        # XLA's exp is inf a little below the greatest float32.
        large = np.abs(truth) > 1e38
        np.testing.assert_allclose(came[~large], truth[~large], rtol=3e-5, atol=1e-6, err_msg=form)
        assert (np.abs(came[large]) > 9e37).all()
        assert (np.sign(came[large]) == np.sign(truth[large])).all()
    # Outside the domain, and at every ratio: inf or a number.
    everywhere = jnp.asarray(wide, jnp.float32)
    assert not jnp.isnan(D[name].conjugate(everywhere)).any()
    assert not jnp.isnan(D[name].f(everywhere)).any()
    slopes = jax.vmap(jax.grad(D[name].conjugate))(jnp.linspace(-80.0, 80.0, 641))
    assert not jnp.isnan(slopes).any()


@pytest.mark.parametrize("w", [0.2, 0.5])
def test_far_out_the_jensen_shannons_are_their_definition(w):
    """f*(g(v)) = (1 - w) log((1 - w) / (1 - sigmoid(v)^(1/w))), in NumPy's log1p and expm1."""
    v = np.array([-50.0, 5.0, 29.0, 31.0, 60.0])
    power = -np.expm1(-np.log1p(np.exp(-v)) / w)
    expected = (1 - w) * np.log((1 - w) / power)
    came = weighted_jensen_shannon(w).activated_conjugate(jnp.asarray(v, jnp.float32))
    np.testing.assert_allclose(came, expected, rtol=1e-5)


@pytest.mark.parametrize("a", [0.3, 0.5])
def test_far_out_the_alpha_divergences_are_their_definition(a):
    """f*(g(v)) of g(v) = 1 / (1 - a) - log(1 + e^-v), by its power, in NumPy."""
    v = np.array([-50.0, 5.0, 29.0, 31.0, 60.0])
    expected = (((1 - a) * np.log1p(np.exp(-v))) ** (a / (a - 1)) - 1) / a
    came = alpha_divergence(a).activated_conjugate(jnp.asarray(v, jnp.float32))
    np.testing.assert_allclose(came, expected, rtol=2e-5)


def test_in_two_steps_the_conjugate_of_the_activation_is_wrong():
    """Why the fused forms are there: in float32 the naive one is off at 16 and infinite at 18."""
    v = jnp.array([16.0, 18.0], jnp.float32)
    naive = -jnp.log(1 - jnp.exp(-jnp.log(1 + jnp.exp(-v))))
    assert abs(naive[0] - 16) > 0.05
    assert naive[1] == jnp.inf
    np.testing.assert_allclose(D["gan"].activated_conjugate(v), v, rtol=1e-6)
    np.testing.assert_allclose(D["jensen_shannon"].activated_conjugate(v), v - np.log(2), rtol=1e-6)


def test_below_minus_two_pearsons_conjugate_is_flat():
    t = jnp.array([-2.0, -3.0, -10.0])
    np.testing.assert_array_equal(D["pearson"].conjugate(t), -1.0)
    assert (t**2 / 4 + t > -1)[1:].all()  # the parabola is a valid but looser bound
    np.testing.assert_array_equal(jax.vmap(jax.grad(D["pearson"].conjugate))(t[1:]), 0.0)


def test_above_one_the_alpha_conjugate_is_flat_where_a_power_would_be_nan():
    t = jnp.array([-2.0, -2.5, -50.0])  # from -1 / (a - 1) on
    assert jnp.isnan((1 + 0.5 * t[1:]) ** 2.5).all()  # of a power that is no integer
    np.testing.assert_allclose(alpha_divergence(1.5).conjugate(t), -1 / 1.5)
    np.testing.assert_array_equal(jax.vmap(jax.grad(alpha_divergence(1.5).conjugate))(t), 0.0)


def test_a_raw_output_of_zero_is_the_threshold_with_the_canonical_pair_alone():
    zero = jnp.array(0.0)
    for name in ("weight .2", "alpha .3"):
        assert abs(D[name].activation(zero) - D[name].f_prime(jnp.array(1.0))) > 0.05
        slope = float(D[name].f_prime(jnp.array(1.0)))
        assert float(D[name].canonical(zero)) == pytest.approx(slope, abs=1e-6)


def test_divergences_of_equal_calls_are_equal_and_read_as_their_call():
    assert alpha_divergence(0.5) == alpha_divergence(0.5) != alpha_divergence(0.3)
    assert hash(weighted_jensen_shannon(0.5)) == hash(D["weighted_jensen_shannon"])
    assert repr(alpha_divergence(0.5)) == "alpha_divergence(0.5)"
    assert repr(DIVERGENCES["kl"]) == "DIVERGENCES['kl']"
    assert f_divergence("own", **PEARSON) == f_divergence("own", **PEARSON)


def test_the_first_divergence_of_ones_own_compiles_few_programs():
    """Each operation of the self-check was compiled by itself: 50 programs, 8 seconds."""
    program = """
import math, jax, jax.numpy as jnp
from jaxgen.divergences import f_divergence
compiled = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, _, **__: compiled.append(event) if "backend_compile" in event else None
)
f_divergence(
    "half Pearson", f=lambda u: (u - 1) ** 2 / 2, domain=(-math.inf, math.inf),
    conjugate=lambda t: jnp.where(t < -1, -0.5, t + t**2 / 2), activation=lambda v: v,
)
print(len(compiled))
"""
    out = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert 0 < int(out.stdout) <= 6


@pytest.mark.parametrize("dims", [1, 100])
def test_near_their_limits_the_alpha_divergences_keep_their_digits(dims):
    """In float32, against float64; alpha = .999999 of 100 dimensions was half of what it is."""
    rng = np.random.default_rng(1)
    means, scales = rng.normal(size=(2, dims)), np.exp(0.3 * rng.normal(size=(2, dims)))
    parameters = (0.1 * means[0], scales[0], 0.1 * means[1], scales[0] * np.exp(0.1 * means[1]))
    for limit, step in ((1.0, -1e-6), (1.0, 1e-4), (0.0, 1e-6), (0.0, -1e-4)):
        near = gaussian_alpha_divergence(
            *(jnp.asarray(x, jnp.float32) for x in parameters), limit + step
        )
        with jax.enable_x64(True):
            exact = gaussian_alpha_divergence(*map(jnp.asarray, parameters), limit)
        assert float(near) == pytest.approx(float(exact), rel=1e-3 if abs(step) > 1e-5 else 1e-4)


BROKEN = {
    "f: breaks f(1)": {"f": lambda u: (u - 1) ** 2 + 0.1},
    "f: breaks convexity": {"f": lambda u: jnp.sin(u - 1)},
    "f_prime: breaks a tangent": {"f_prime": lambda u: u - 1},
    "conjugate: breaks Young": {"conjugate": lambda t: t**2 / 4 + 1.01 * t},
    "conjugate: breaks Fenchel": {"conjugate": lambda t: jnp.where(t < -2, -2.0, t**2 / 4 + t)},
    "activation: breaks the domain's lower": {"domain": (-2.0, math.inf)},
    "activation: breaks an increasing": {"activation": lambda v: -v},
    "activated_conjugate: breaks": {"activated_conjugate": lambda v: v},
    "canonical: breaks": {"canonical": jnp.expm1},
    "canonical_conjugate: breaks": {"canonical_conjugate": lambda v: jnp.expm1(v)},
    "domain: got": {"domain": (1.0, 1.0)},
}
PEARSON = {
    "f": lambda u: (u - 1) ** 2,
    "conjugate": lambda t: jnp.where(t < -2, -1.0, t**2 / 4 + t),
    "domain": (-math.inf, math.inf),
    "activation": lambda v: v,
}


def test_a_divergence_of_ones_own_is_checked_and_equals_the_tables():
    own = f_divergence("own", **PEARSON)
    v = jnp.linspace(-3.0, 3.0, 13)
    for form in ("f", "conjugate", "canonical", "canonical_conjugate", "activated_conjugate"):
        expected = getattr(D["pearson"], form)(v)
        np.testing.assert_allclose(getattr(own, form)(v), expected, rtol=1e-4, atol=1e-5)
    assert own.curvature == pytest.approx(2)


@pytest.mark.parametrize("message", BROKEN)
def test_a_wrong_part_is_named(message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(").replace(")", r"\)")):
        f_divergence("broken", **{**PEARSON, **BROKEN[message]})


def le_cam_conjugate(t):
    """u t - f(u) at the u of slope t, the supremum from t = -3 on: below, u would be negative."""
    u = 2 / jnp.sqrt(1 - t) - 1
    return u * t - (u - 1) ** 2 / (u + 1)


LE_CAM = {
    "f": lambda u: (u - 1) ** 2 / (u + 1),
    "conjugate": lambda t: jnp.where(t < -3, -1.0, le_cam_conjugate(jnp.maximum(t, -3.0))),
    "domain": (-math.inf, 1.0),
    "activation": lambda v: -jnp.expm1(-v),
}
TOTAL_VARIATION = {
    "f": lambda u: jnp.abs(u - 1) / 2,
    "conjugate": lambda t: t,
    "domain": (-0.5, 0.5),
    "activation": lambda v: jnp.tanh(v) / 2,
}
HELLINGER = {
    "f": lambda u: (jnp.sqrt(u) - 1) ** 2,
    "conjugate": lambda t: t / (1 - t),
    "domain": (-math.inf, 1.0),
    "activation": lambda v: -jnp.expm1(-v),
}
BOTH_SIDES_AND_ENDS = {
    # A kink that is not declared: a curvature of 0, and an estimate of 0.
    ("kink: breaks f's second derivative without one", "total variation"): TOTAL_VARIATION,
    # f_prime by itself, and so the curvature, may say anything at a single point.
    ("kink: breaks f's second derivative without one", "of f_prime"): {
        **TOTAL_VARIATION,
        "f_prime": lambda u: jnp.where(u > 1, 0.5, jnp.where(u < 1, -0.5, u - 1)),
    },
    ("conjugate: breaks the supremum", "Le Cam without its flat branch"): {
        **LE_CAM,
        "conjugate": le_cam_conjugate,
    },
    # The activation does not come where the conjugate is wrong; the domain says that it is right.
    ("conjugate: breaks the supremum", "beyond the activation"): {
        **LE_CAM,
        "conjugate": le_cam_conjugate,
        "activation": lambda v: 1 - 4 * jax.nn.sigmoid(-v),
    },
    ("domain: breaks Fenchel's inequality", "NaN where inf is promised"): {
        **LE_CAM,
        "domain": (-math.inf, 2.0),
    },
    ("domain: breaks Fenchel's inequality", "a number where inf is promised"): {
        **HELLINGER,
        "domain": (-math.inf, math.inf),
    },
}


@pytest.mark.parametrize(("message", "what"), BOTH_SIDES_AND_ENDS)
def test_a_kink_and_what_is_wrong_near_the_domains_ends_are_seen(message, what):
    with pytest.raises(ValueError, match=message):
        f_divergence(what, **BOTH_SIDES_AND_ENDS[message, what])


def test_the_right_forms_of_these_pass():
    assert f_divergence("TV", **TOTAL_VARIATION, kink=True).curvature is None
    assert f_divergence("squared Hellinger", **HELLINGER).curvature == pytest.approx(0.5)
    le_cam = f_divergence("Le Cam", **LE_CAM)
    assert le_cam.curvature == pytest.approx(1)  # f'' = 8 / (u + 1)³
    np.testing.assert_allclose(le_cam.conjugate(jnp.array([-10.0, 1.5])), [-1.0, np.inf])
    for extreme in (alpha_divergence(0.99), alpha_divergence(12.0), weighted_jensen_shannon(1e-3)):
        check_divergence(extreme)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: alpha_divergence(1.0), "alpha: got 1.0, .* reverse_kl and kl"),
        (lambda: alpha_divergence(float("inf")), "alpha: got inf"),
        (lambda: weighted_jensen_shannon(1.0), "weight: got 1.0"),
        (lambda: DIVERGENCES["kld"], "divergence: got 'kld', expected one of total_variation, kl"),
        (lambda: discrete_divergence(P, Q[:2], D["kl"]), r"q_probs: got shape \(2,\)"),
        (lambda: discrete_divergence(2 * P, Q, D["kl"]), "p_probs: got numbers >= .* sum of 2"),
        (lambda: discrete_divergence(P, P - Q + P, D["kl"]), "q_probs: got numbers >= -0.2 with"),
        (
            lambda: gaussian_alpha_divergence(P, P, P, Q[:2], 1.0),
            r"q_scale: got shape \(2,\), expected .*\(3,\)",
        ),
        (
            lambda: variational_bound(P[:, None], Q, D["kl"]),
            r"v_p: got shape \(3, 1\), expected one number per sample",
        ),
        (lambda: variational_bound(P, Q[:, None], D["kl"]), r"v_q: got shape \(3, 1\)"),
        (lambda: variational_bound(P[:0], Q, D["kl"]), r"v_p: got shape \(0,\)"),
    ],
)
def test_misuse_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_nan_is_passed_on():
    broken = P.at[0].set(jnp.nan)
    for divergence in D.values():
        assert jnp.isnan(discrete_divergence(broken, Q, divergence))
        assert jnp.isnan(divergence.conjugate(broken)[0])


def test_the_table_is_a_mapping_that_names_what_it_has():
    assert list(DIVERGENCES)[:2] == ["total_variation", "kl"]
    assert "kld" not in DIVERGENCES
    assert DIVERGENCES.get("kld") is None
    with pytest.raises(KeyError, match="expected one of total_variation, kl"):
        DIVERGENCES["kld"]
