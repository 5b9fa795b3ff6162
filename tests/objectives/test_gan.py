"""Losses of a game against their formulas in float64, closed forms and the optimal critic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, log_expit

from jaxgen.divergences import DIVERGENCES
from jaxgen.objectives import (
    GAN_LOSSES,
    PENALTIES,
    activated_f_gan,
    dragan_penalty,
    f_gan,
    feature_matching,
    gan_loss,
    gradient_penalty,
    instance_noise,
    least_squares,
    minimax,
    non_saturating,
    output_penalty,
    r1_penalty,
    relativistic_average,
    zero_sum,
)

V = np.array([-80.0, -20.0, -1.3, 0.0, 0.4, 17.0, 80.0], np.float32)
REAL, FAKE = (a.ravel() for a in np.meshgrid(V, V))
R, F = REAL.astype(np.float64), FAKE.astype(np.float64)
CROSS_ENTROPY = -log_expit(R) - log_expit(-F)

FORMULAS = {
    "minimax": (log_expit(-F), CROSS_ENTROPY),
    "non_saturating": (-log_expit(F), CROSS_ENTROPY),
    "least_squares": ((F - 1) ** 2 / 2, ((R - 1) ** 2 + F**2) / 2),
    "hinge": (-F, np.maximum(0, 1 - R) + np.maximum(0, 1 + F)),
    "wasserstein": (-F, F - R),
    "relativistic": (-log_expit(F - R), -log_expit(R - F)),
    "relativistic_average": (-log_expit(-R) - log_expit(F), CROSS_ENTROPY),
}
"""Of the generator and the critic; the average one's are of outputs that are centered already."""


@pytest.mark.parametrize("name", GAN_LOSSES)
def test_losses_are_their_formulas_with_finite_gradients(name):
    losses = GAN_LOSSES[name]()
    for loss, expected in zip((losses.generator, losses.critic), FORMULAS[name], strict=True):
        both = jax.value_and_grad(loss, argnums=(0, 1))
        values, slopes = jax.jit(jax.vmap(both))(REAL, FAKE)
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-30)
        assert np.isfinite(slopes).all()


def test_the_saturating_gradient_vanishes_where_the_other_does_not():
    one, sure = jnp.zeros(()), jnp.float32(-20.0)
    slopes = [jax.grad(make().generator, 1)(one, sure) for make in (minimax, non_saturating)]
    np.testing.assert_allclose(slopes, [-expit(-20.0), -1.0], rtol=1e-4)


def test_smoothed_labels_are_one_sided():
    for r, f in ((-1.2, 0.7), (3.0, -2.0)):
        expected = -0.9 * log_expit(r) - 0.1 * log_expit(-r) - log_expit(-f)
        for loss in (minimax, non_saturating):
            np.testing.assert_allclose(
                loss(real_label=0.9).critic(jnp.float32(r), jnp.float32(f)), expected, rtol=1e-5
            )
        squared = least_squares(real_label=0.9).critic(jnp.float32(r), jnp.float32(f))
        np.testing.assert_allclose(squared, ((r - 0.9) ** 2 + f**2) / 2, rtol=1e-5)
    # The best output for reals is then log(.9 / .1), not infinity.
    slope = jax.grad(minimax(real_label=0.9).critic)(jnp.float32(np.log(9.0)), jnp.float32(0.0))
    np.testing.assert_allclose(slope, 0.0, atol=1e-6)


@pytest.mark.parametrize("name", GAN_LOSSES)
def test_the_zero_sum_generator_lowers_minus_the_critics_loss(name):
    loss = GAN_LOSSES[name]()
    both = zero_sum(loss)
    np.testing.assert_array_equal(
        jax.vmap(both.generator)(REAL, FAKE), -jax.vmap(both.critic)(REAL, FAKE)
    )
    np.testing.assert_array_equal(
        jax.vmap(both.critic)(REAL, FAKE), jax.vmap(loss.critic)(REAL, FAKE)
    )
    # To the fakes of a fixed critic it is the same as the loss whose dropped term is a constant.
    slopes = [jax.vmap(jax.grad(each.generator, 1))(REAL, FAKE) for each in (loss, both)]
    if name in ("minimax", "wasserstein"):
        np.testing.assert_allclose(*slopes, rtol=1e-6)
    else:
        assert not np.allclose(*slopes)


X = np.linspace(-12, 12, 4001)
DX = X[1] - X[0]


def density(mean, scale):
    return np.exp(-0.5 * ((X - mean) / scale) ** 2) / (scale * np.sqrt(2 * np.pi))


P, Q = density(0.0, 1.0), density(0.8, 1.3)


def test_at_the_optimal_critic_the_value_is_2_jsd_less_log_4():
    v = jnp.asarray(np.log(P / Q), jnp.float32)
    zero = jnp.zeros_like(v)
    loss = jax.jit(jax.vmap(minimax().critic))
    value = -np.sum((P * (loss(v, zero) - loss(zero, zero)) + Q * loss(zero, v)) * DX)
    m = (P + Q) / 2
    jsd = 0.5 * np.sum((P * np.log(P / m) + Q * np.log(Q / m)) * DX)
    np.testing.assert_allclose(value, 2 * jsd - np.log(4), atol=1e-5)
    # Where the two are the same the best critic says 0, and the value is -log 4.
    at_par = minimax().critic(jnp.zeros(()), jnp.zeros(()))
    np.testing.assert_allclose(-at_par, -np.log(4), rtol=1e-6)


@pytest.mark.parametrize("name", sorted(set(DIVERGENCES) - {"total_variation"}))
def test_f_gans_critic_attains_the_divergence_at_the_log_ratio(name):
    divergence = DIVERGENCES[name]
    with jax.enable_x64(True):
        v = jnp.asarray(np.log(P / Q))
        expected = float(np.sum(Q * np.asarray(divergence.f(jnp.asarray(P / Q))) * DX))
        loss = jax.vmap(f_gan(divergence).critic)

        def bound(v):
            zero = jnp.zeros_like(v)
            at_zero = loss(zero, zero)  # counted with both densities, whose integrals are one
            return -float(jnp.sum((P * (loss(v, zero) - at_zero) + Q * loss(zero, v)) * DX))

        np.testing.assert_allclose(bound(v), expected, rtol=1e-6, atol=1e-8)
        assert bound(v + 0.1) < expected > bound(0.9 * v)


@pytest.mark.parametrize("name", sorted(set(DIVERGENCES) - {"total_variation"}))
def test_at_the_optimal_critic_f_gans_generator_follows_the_divergence(name, x64):
    divergence = DIVERGENCES[name]
    noise, weights = np.polynomial.hermite_e.hermegauss(100)
    weights = weights / weights.sum()

    def log_density(x, mean, scale):
        return -0.5 * ((x - mean) / scale) ** 2 - jnp.log(scale) - 0.5 * np.log(2 * np.pi)

    at = (0.3, 1.2)  # mean and scale of the model; the data are standard normal

    def exact(model):
        log_q = log_density(X, *model)
        return DX * jnp.sum(
            jnp.exp(log_q) * divergence.f(jnp.exp(log_density(X, 0.0, 1.0) - log_q))
        )

    def of_fakes(model, loss):
        x = model[0] + model[1] * noise
        v = log_density(x, 0.0, 1.0) - log_density(x, *at)  # the critic stays as it is
        return jnp.sum(weights * jax.vmap(loss.generator)(jnp.zeros_like(v), v))

    gradient = jax.jit(jax.grad(of_fakes), static_argnums=1)
    truth = np.array(jax.jit(jax.grad(exact))(at))
    found = gradient(at, f_gan(divergence))
    np.testing.assert_allclose(found, truth, rtol=1e-6)
    # The trick of raising t instead descends something else.
    tricked = gradient(at, f_gan(divergence, trick=True))
    assert np.abs(np.array(tricked) - truth).max() > 0.01


@pytest.mark.parametrize("make", [f_gan, activated_f_gan])
@pytest.mark.parametrize("name", DIVERGENCES)
def test_f_gans_generator_lowers_the_bound_or_raises_t(name, make):
    divergence = DIVERGENCES[name]
    v = jnp.array([-3.0, -0.5, 0.2, 2.0])
    t = divergence.canonical if make is f_gan else divergence.activation
    conjugate = divergence.conjugate(t(v))  # in two steps, which is exact enough at these v
    plain, tricked = make(divergence), make(divergence, trick=True)
    zero = jnp.zeros_like(v)
    np.testing.assert_allclose(jax.vmap(plain.generator)(zero, v), -conjugate, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(jax.vmap(tricked.generator)(zero, v), -t(v), rtol=1e-5, atol=1e-6)
    critics = [jax.vmap(loss.critic)(v, v) for loss in (plain, tricked)]
    np.testing.assert_array_equal(*critics)
    np.testing.assert_allclose(critics[0], conjugate - t(v), rtol=1e-4, atol=1e-5)


def test_the_divergence_gan_is_the_minimax_game_and_its_trick_the_other():
    for ours, theirs in (
        (f_gan(DIVERGENCES["gan"]), minimax()),
        (f_gan(DIVERGENCES["gan"], trick=True), non_saturating()),
    ):
        for player in ("generator", "critic"):
            a, b = (jax.vmap(getattr(loss, player)) for loss in (ours, theirs))
            np.testing.assert_allclose(a(REAL, FAKE), b(REAL, FAKE), rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize("player", ["critic", "generator"])
@pytest.mark.parametrize("name", [*GAN_LOSSES, "f_gan", "zero_sum"])
def test_anything_but_one_number_is_refused(name, player):
    others = {"f_gan": lambda: f_gan(DIVERGENCES["kl"]), "zero_sum": lambda: zero_sum(minimax())}
    of_pair = getattr((GAN_LOSSES | others)[name](), player)
    one, column, batch = jnp.zeros(()), jnp.zeros((4, 1)), jnp.zeros(4)
    with pytest.raises(ValueError, match=r"critic_fake: got shape \(4, 1\), expected one number"):
        of_pair(one, column)
    with pytest.raises(ValueError, match=r"critic_real: got shape \(1,\), expected one number"):
        jax.vmap(of_pair)(column, batch)
    with pytest.raises(ValueError, match=r"critic_real: got shape \(4,\)"):
        of_pair(batch, batch)
    assert jax.vmap(of_pair)(batch, batch).shape == (4,)


def test_each_output_is_set_against_the_mean_of_the_other_side():
    """By hand: r = [2, 0], f = [0, -1] are [2.5, .5] and [-1, -2] once centered."""
    loss = relativistic_average()
    r, f = loss.centered(jnp.array([2.0, 0.0]), jnp.array([0.0, -1.0]))
    np.testing.assert_allclose(r, [2.5, 0.5])
    np.testing.assert_allclose(f, [-1.0, -2.0])
    sp = lambda *v: np.logaddexp(0, np.array(v)).mean()  # noqa: E731
    critic = sp(-2.5, -0.5) + sp(-1, -2)
    np.testing.assert_allclose(critic, 0.4966, atol=5e-5)  # as PyTorch has it
    np.testing.assert_allclose(jax.vmap(loss.critic)(r, f).mean(), critic, rtol=1e-6)
    np.testing.assert_allclose(
        jax.vmap(loss.generator)(r, f).mean(), sp(2.5, 0.5) + sp(1, 2), rtol=1e-6
    )
    both = zero_sum(loss)
    np.testing.assert_array_equal(jax.vmap(both.generator)(r, f), -jax.vmap(loss.critic)(r, f))
    assert both.centered is loss.centered


def test_players_are_told_apart_by_name_alone():
    with pytest.raises(TypeError):
        gan_loss(lambda real, fake: fake, lambda real, fake: -fake)
    loss = gan_loss(generator=lambda real, fake: fake, critic=lambda real, fake: real)
    assert loss.generator(jnp.float32(1), jnp.float32(2)) == 2
    assert loss.critic(jnp.float32(1), jnp.float32(2)) == 1


def test_losses_made_by_equal_calls_are_equal_and_shown_as_their_call():
    for make in GAN_LOSSES.values():
        assert make() == make()
        assert hash(make()) == hash(make())
        assert repr(make()) == f"{make.__name__}()"
    assert minimax() != non_saturating()
    assert minimax() == minimax(real_label=1.0) != minimax(real_label=0.9)
    smoothed = zero_sum(minimax(real_label=0.9))
    assert repr(smoothed) == "zero_sum(minimax(real_label=0.9))"
    assert smoothed == zero_sum(minimax(real_label=0.9))
    kl = f_gan(DIVERGENCES["kl"])
    assert kl == f_gan(DIVERGENCES["kl"]) != activated_f_gan(DIVERGENCES["kl"])
    traces = []

    def value(v, loss):
        traces.append(loss)
        return loss.critic(v, v)

    compiled = jax.jit(value, static_argnums=1)
    for _ in range(3):
        compiled(jnp.ones(()), minimax(real_label=0.9))
    assert len(traces) == 1


def test_a_traced_label_is_trusted():
    def slope(label):
        return jax.grad(lambda v: minimax(real_label=label).critic(v, v))(jnp.zeros(()))

    np.testing.assert_allclose(jax.jit(slope)(0.9), slope(0.9), rtol=1e-6)


def test_labels_outside_the_unit_interval_are_refused():
    with pytest.raises(ValueError, match=r"real_label: got 1\.2"):
        minimax(real_label=np.float64(1.2))
    for make in (minimax, non_saturating, least_squares):
        with pytest.raises(
            ValueError, match=r"real_label: got 1\.2, expected a number in \(0, 1\]"
        ):
            make(real_label=1.2)


def quadratic(x):
    """Slope: a x, with a = (1, 2)."""
    return 0.5 * jnp.sum(jnp.array([1.0, 2.0]) * x**2)


A = np.array([1.0, 2.0])
ONE, OTHER = jnp.array([0.3, -1.0]), jnp.array([2.0, 0.5])


def test_penalties_are_their_closed_forms(key):
    values = {
        name: float(penalty(jax.random.clone(key), quadratic, ONE, OTHER))
        for name, penalty in PENALTIES.items()
    }
    t = float(jax.random.uniform(jax.random.clone(key)))
    between = t * np.asarray(ONE) + (1 - t) * np.asarray(OTHER)
    moved = np.asarray(ONE) + np.asarray(jax.random.normal(jax.random.clone(key), (2,)))
    expected = {
        "gradient": (np.linalg.norm(A * between) - 1) ** 2,
        "dragan": (np.linalg.norm(A * moved) - 1) ** 2,
        "r1": np.sum((A * np.asarray(ONE)) ** 2),
        "r2": np.sum((A * np.asarray(OTHER)) ** 2),
    }
    assert values.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(values[name], value, rtol=1e-5)
    still = dragan_penalty(jax.random.clone(key), quadratic, ONE, OTHER, scale=0.0)
    np.testing.assert_allclose(still, (np.linalg.norm(A * np.asarray(ONE)) - 1) ** 2, rtol=1e-5)


def test_the_penalty_on_outputs_is_both_squares(key):
    critic = lambda x: jnp.sum(x)  # noqa: E731
    value = output_penalty(key, critic, ONE, OTHER)
    np.testing.assert_allclose(value, jnp.sum(ONE) ** 2 + jnp.sum(OTHER) ** 2, rtol=1e-6)
    far = output_penalty(key, critic, jnp.full(1, 300, jnp.float16), jnp.zeros(1, jnp.float16))
    np.testing.assert_allclose(far, 300.0**2)  # above float16's largest


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_the_penalty_of_a_half_precision_critic_is_in_float32(dtype, key):
    steep = lambda x: 300 * jnp.sum(x)  # noqa: E731 -- 300² is above float16's largest, 65,504
    penalty = r1_penalty(key, steep, jnp.ones(1, dtype), jnp.zeros(1, dtype))
    assert penalty.dtype == jnp.float32
    np.testing.assert_allclose(penalty, 300.0**2)


@pytest.mark.parametrize("name", PENALTIES)
def test_penalties_have_a_finite_gradient_on_a_flat_critic_and_refuse_a_column(name, key):
    def penalty(w):
        return PENALTIES[name](key, lambda x: jnp.sum(w * x), ONE, OTHER)

    value, slope = jax.value_and_grad(penalty)(jnp.zeros(2))
    np.testing.assert_allclose(value, 0.0 if name.startswith("r") else 1.0)
    assert np.isfinite(slope).all()
    with pytest.raises(ValueError, match=r"critic: got an output of shape \(1,\)"):
        PENALTIES[name](jax.random.clone(key), lambda x: jnp.sum(x)[None], ONE, OTHER)


def test_a_pair_of_two_shapes_has_no_point_between(key):
    with pytest.raises(
        ValueError, match=r"fake: got shape \(2, 1\), expected that of real, \(2,\)"
    ):
        gradient_penalty(key, quadratic, ONE, OTHER[:, None])


def test_features_are_matched_by_their_means_and_only_by_the_generator():
    real, fake = jnp.array([[1.0, 2.0], [3.0, 6.0]]), jnp.array([[0.0, 1.0]])
    value, slopes = jax.value_and_grad(feature_matching, (0, 1))(real, fake)
    np.testing.assert_allclose(value, (0 - 2) ** 2 + (1 - 4) ** 2)
    np.testing.assert_array_equal(slopes[0], jnp.zeros((2, 2)))
    np.testing.assert_allclose(slopes[1], [[-4.0, -6.0]])
    with pytest.raises(ValueError, match=r"fake_features: got shape \(1, 3\), expected \(m, 2\)"):
        feature_matching(real, jnp.zeros((1, 3)))


def test_features_of_half_precision_are_matched_in_float32():
    real, fake = jnp.full((4, 64), 100.0, jnp.float16), jnp.zeros((4, 64), jnp.float16)
    value = feature_matching(real, fake)
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, 64 * 100.0**2)  # above float16's largest, 65,504


def test_instance_noise_has_the_scale_asked_for(key):
    x = jnp.full((20000,), 3.0)
    noisy = instance_noise(key, x, 0.5)
    np.testing.assert_allclose(noisy.mean(), 3.0, atol=0.02)
    np.testing.assert_allclose(noisy.std(), 0.5, atol=0.015)
    np.testing.assert_array_equal(instance_noise(jax.random.clone(key), x, 0.0), x)
