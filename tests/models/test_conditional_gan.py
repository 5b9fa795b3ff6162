"""The conditional GAN: what it compares, that it learns its classes, the labels it refuses."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.models import conditional_gan
from jaxgen.nets import MLPCritic, MLPGenerator, ProjectionCritic, labeled
from jaxgen.objectives import game_losses, least_squares, non_saturating, r1_penalty
from jaxgen.train import game_update, init_game

LABELS = jnp.array([2, 0, 1, 1, 2, 0])
X = jax.random.normal(jax.random.key(0), (6, 2))


def make(generator=None, critic=None, packing=1):
    return conditional_gan(
        generator or labeled(MLPGenerator((16,), (2,)), 3),
        critic or labeled(MLPCritic((16,)), 3),
        num_classes=3, latent_size=2, x_shape=(2,), packing=packing,
    )  # fmt: skip


def test_fakes_have_the_labels_of_the_reals_and_both_players_see_them(key):
    model = make()
    generator, critic = jax.jit(model.init)(key)
    batch = model.draw(jax.random.key(1), (X, LABELS))
    real, fake, changed = model.sides(generator, jax.random.key(2), batch, train=True)
    assert changed == {}
    for side in (real, fake):
        np.testing.assert_array_equal(side[1], LABELS)
    one_hot = jnp.eye(3)[LABELS]
    net = MLPGenerator((16,), (2,))
    by_hand = net.apply(generator, jnp.concatenate([batch.z, one_hot], 1), train=True)
    np.testing.assert_allclose(fake[0], by_hand, rtol=1e-6)
    outputs, _ = model.criticize(critic, real, train=False)
    by_hand = MLPCritic((16,)).apply(critic, jnp.concatenate([X, one_hot], 1), train=False)
    np.testing.assert_allclose(outputs, by_hand, rtol=1e-6)
    other, _ = model.criticize(critic, (X, (LABELS + 1) % 3), train=False)
    assert np.abs(other - outputs).min() > 1e-3


@pytest.mark.parametrize(
    "critic", [labeled(MLPCritic((4,)), 3), ProjectionCritic(MLPCritic((4,)), 3)]
)
def test_a_pack_is_judged_with_all_its_labels(critic, key):
    model = make(critic=critic, packing=2)
    generator, variables = jax.jit(model.init)(key)
    judge = jax.jit(lambda x, labels: model.criticize(variables, (x, labels), train=False)[0])
    outputs = judge(X, LABELS)
    assert outputs.shape == (3,)
    for i in range(6):
        other = judge(X, np.array(LABELS) + (np.arange(6) == i) * (1 - 3 * (LABELS[i] == 2)))
        assert list(np.flatnonzero(other != outputs)) == [i // 2]
    losses = game_losses(model, non_saturating(), penalty=r1_penalty, penalty_weight=1.0)
    sides = losses.sides(generator, jax.random.key(2), model.draw(jax.random.key(1), (X, LABELS)))
    slopes = jax.grad(lambda x: judge(x, LABELS).sum())(X)
    _, _, info = jax.jit(losses.critic)(variables, sides, jax.random.key(3), None)
    np.testing.assert_allclose(info["penalty"], np.sum(slopes**2) / 3, rtol=1e-5)


class Unlabeled(nn.Module):
    """The twin that does not look at the label."""

    @nn.compact
    def __call__(self, inputs, *, train):
        return MLPCritic((16,))(inputs[0], train=train)


CRITICS = {
    "concatenation": labeled(MLPCritic((16,)), 3),
    "projection": ProjectionCritic(MLPCritic((16,)), 3),
    "none": Unlabeled(),
}
MEANS = jnp.array([[2.0, 0.0], [-1.0, 1.5], [0.0, -2.0]])
ADAM = optax.adam(1e-2, b1=0.5)


@pytest.mark.parametrize("name", CRITICS)
def test_every_class_is_learned_and_none_by_a_critic_that_sees_no_label(name):
    """Data: N(mean of the class, .1)."""
    model = make(critic=CRITICS[name])
    update = game_update(game_losses(model, least_squares()), ADAM, ADAM, ema_decay=0.98)

    def step(game, key):
        key_labels, key_x, key_update = jax.random.split(key, 3)
        labels = jax.random.randint(key_labels, 64, 0, 3)
        x = MEANS[labels] + 0.1 * jax.random.normal(key_x, (64, 2))
        return update(game, key_update, (x, labels))

    @jax.jit
    def train(key):
        key_init, key_steps = jax.random.split(key)
        game = init_game(key_init, model, ADAM, ADAM, ema=True)
        game, infos = jax.lax.scan(step, game, jax.random.split(key_steps, 600))
        inputs = model.sample_latent(jax.random.key(4), 300), jnp.arange(300) % 3
        fakes, _ = model.generate(game.generator.averaged, inputs, train=False)
        return fakes, infos["all_finite"].all()

    fakes, finite = train(jax.random.key(3))
    assert finite
    away = [np.linalg.norm(fakes[k::3].mean(axis=0) - MEANS[k]) for k in range(3)]
    if name == "none":
        assert max(away) > 1.0
    else:
        assert max(away) < 0.4, away


def test_labels_that_are_none_are_refused():
    model = make()
    generator, critic = model.init(jax.random.key(0))
    bad = {
        r"labels: got values from 0 to 3, expected 0 to 2, the 3 classes": LABELS.at[0].set(3),
        r"labels: got values from -1 to 2, expected 0 to 2": np.array([0, 1, 2, -1, 0, 0]),
        r"labels: got float32 of shape \(6,\), expected an array of integers of shape \(6,\)": (
            LABELS.astype(jnp.float32)
        ),
        r"labels: got int32 of shape \(5,\), expected .* \(6,\), one for each": LABELS[:5],
        r"labels: got int32 of shape \(6, 1\), expected": LABELS[:, None],
        r"labels: got bool of shape": LABELS > 0,
        "labels: got list, expected": [0, 1, 2, 0, 1, 2],
    }
    for message, labels in bad.items():
        with pytest.raises(ValueError, match=message):
            model.draw(jax.random.key(1), (X, labels))
        with pytest.raises(ValueError, match=message):
            model.generate(generator, (X, labels))
        with pytest.raises(ValueError, match=message):
            model.criticize(critic, (X, labels))
    with pytest.raises(ValueError, match=r"labels: got int32 of shape \(6,\).*\(4,\)"):
        model.draw(jax.random.key(1), (X[:4], LABELS))
    # What is known only under jit does not raise; what is static does there, too.
    draw = jax.jit(lambda labels: model.draw(jax.random.key(1), (X, labels)))
    assert draw(LABELS + 5).labels.max() == 7
    with pytest.raises(ValueError, match="labels: got float32"):
        draw(LABELS.astype(jnp.float32))
    with pytest.raises(ValueError, match="num_classes: got 0"):
        conditional_gan(
            MLPGenerator((), (2,)), MLPCritic(()), num_classes=0, latent_size=2, x_shape=(2,)
        )
    with pytest.raises(
        ValueError, match=r"generator: got an output of shape \(2, 3\) for 2 latent"
    ):
        make(generator=labeled(MLPGenerator((), (3,)), 3)).init(jax.random.key(0))
