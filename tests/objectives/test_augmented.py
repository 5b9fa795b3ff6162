"""A game of augmented sides: nothing moves by the identity, nor does the point where it ends."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import compose, random_cutout, random_translation
from jaxgen.models import conditional_gan, gan
from jaxgen.nets import DCGANCritic, DCGANGenerator, MLPCritic, labeled
from jaxgen.objectives import (
    Augmented,
    augmented,
    game_losses,
    gradient_penalty,
    non_saturating,
    r1_penalty,
    wasserstein,
)

X = jax.random.uniform(jax.random.key(0), (6, 8, 8, 1))
SHIFT = random_translation(0.25)


class Linear(nn.Module):
    """A critic whose slope in its params is the mean image."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(1, use_bias=False)(x.reshape(len(x), -1))[:, 0]


class Constant(nn.Module):
    """A generator that has one image, the data's."""

    @nn.compact
    def __call__(self, z):
        image = self.param("image", lambda key: X[0])
        return jnp.broadcast_to(image, (len(z), *image.shape))


def test_the_identity_changes_no_bit(key):
    model = gan(
        DCGANGenerator((8, 8, 1), (4,)), DCGANCritic((4,)), latent_size=3, x_shape=(8, 8, 1)
    )

    def gradients(key, model):
        losses = game_losses(model, non_saturating(), penalty=r1_penalty, penalty_weight=1.0)
        key_init, key_draw, key_critic, key_generator = jax.random.split(key, 4)
        generator, critic = model.init(key_init)
        batch = losses.draw(key_draw, X)
        sides = losses.sides(generator, jax.random.clone(key_critic), batch)
        of_critic = jax.value_and_grad(lambda own: losses.critic(own, sides, key_critic, batch)[0])
        of_generator = jax.value_and_grad(
            lambda own: losses.generator(own, critic, key_generator, batch)[0]
        )
        return of_critic(critic), of_generator(generator)

    compiled = jax.jit(gradients, static_argnums=1)
    plain, same, other = (
        compiled(jax.random.clone(key), m)
        for m in (model, augmented(model, lambda key, x: x), augmented(model, SHIFT))
    )
    chex.assert_trees_all_equal(plain, same)
    assert plain[0][0] != other[0][0]
    slopes = jax.tree.leaves(other[1][1]["params"])
    assert all(np.abs(slope).max() > 0 for slope in slopes), "no gradient to the generator"


def test_either_side_has_draws_of_its_own(key):
    model = augmented(gan(Constant(), Linear(), latent_size=1, x_shape=(8, 8, 1)), SHIFT)
    generator, _ = model.init(key)
    batch = model.draw(jax.random.key(1), jnp.broadcast_to(X[0], (6, 8, 8, 1)))
    real, fake, _ = model.sides(generator, jax.random.key(2), batch, train=True)
    assert (real != fake).any(axis=(1, 2, 3)).sum() > 2  # of 25 moves each, alike by chance


class RealsAlone(Augmented):
    """The twin that augments one side: the generator has to learn the augmentation."""

    def sides(self, generator, key, batch, *, train):
        real, _, changed = super().sides(generator, key, batch, train=train)
        _, fake, _ = self.model.sides(generator, jax.random.clone(key), batch, train=train)
        return real, fake, changed


@pytest.mark.parametrize("wrap", [augmented, RealsAlone])
def test_where_the_generator_is_the_data_the_critic_has_nothing_to_learn(wrap):
    """The critic's mean slope is zero there: 5 standard errors of 60 batches of 64, 64 pixels."""
    model = wrap(gan(Constant(), Linear(), latent_size=1, x_shape=(8, 8, 1)), SHIFT)
    losses = game_losses(model, wasserstein())
    generator, critic = model.init(jax.random.key(0))
    data = jnp.broadcast_to(X[0], (64, 8, 8, 1))

    @jax.jit
    @jax.vmap
    def slope(key):
        keys = jax.random.split(key, 3)
        batch = losses.draw(keys[0], data)
        sides = losses.sides(generator, keys[1], batch)
        return jax.grad(lambda own: losses.critic(own, sides, keys[2], batch)[0])(critic)

    slopes = slope(jax.random.split(jax.random.key(1), 60))["params"]["Dense_0"]["kernel"]
    mean, error = slopes.mean(axis=0), slopes.std(axis=0, ddof=1) / np.sqrt(60)
    found = np.abs(mean) < 5 * error + 1e-6
    assert found.all() == (wrap is augmented)


def test_a_penalty_is_of_the_slope_where_the_critic_looks(key):
    model = augmented(
        gan(Constant(), MLPCritic((4,), nn.tanh), latent_size=1, x_shape=(8, 8, 1)), SHIFT
    )
    generator, critic = model.init(key)
    losses = game_losses(model, non_saturating(), penalty=gradient_penalty, penalty_weight=1.0)
    batch = losses.draw(jax.random.key(1), X)
    real, fake = losses.sides(generator, jax.random.key(2), batch)
    drawn = jax.random.key(3)
    _, _, info = losses.critic(critic, (real, fake), jax.random.clone(drawn), batch)
    t = jax.vmap(jax.random.uniform)(jax.random.split(drawn, 6))[:, None, None, None]
    slopes = jax.grad(lambda x: model.criticize(critic, x, train=False)[0].sum())(
        t * real + (1 - t) * fake
    )
    norms = jnp.linalg.norm(slopes.reshape(6, -1), axis=1)
    np.testing.assert_allclose(info["penalty"], np.mean((norms - 1) ** 2), rtol=1e-4)


def test_of_a_side_with_labels_the_images_are_augmented(key):
    model = conditional_gan(
        labeled(DCGANGenerator((8, 8, 1), (4,)), 3), labeled(MLPCritic((4,)), 3),
        num_classes=3, latent_size=3, x_shape=(8, 8, 1),
    )  # fmt: skip
    game = augmented(model, compose(SHIFT, random_cutout(0.5)))
    generator, _ = game.init(key)
    labels = jnp.arange(6) % 3
    batch = game.draw(jax.random.key(1), (X, labels))
    plain = model.sides(generator, jax.random.key(2), batch, train=True)
    seen = game.sides(generator, jax.random.key(2), batch, train=True)
    chex.assert_trees_all_equal(plain[2], seen[2])
    for one, other in zip(plain[:2], seen[:2], strict=True):
        np.testing.assert_array_equal(one[1], other[1])
        assert (one[0] != other[0]).any(axis=(1, 2, 3)).all()


def test_an_augmentation_that_changes_the_shape_is_refused(key):
    model = augmented(
        gan(Constant(), Linear(), latent_size=1, x_shape=(8, 8, 1)), lambda key, x: x[:, 1:]
    )
    generator, _ = model.init(key)
    with pytest.raises(ValueError, match=r"augment: got float32 of shape \(6, 7, 8, 1\), expected"):
        model.sides(generator, jax.random.key(1), model.draw(jax.random.key(2), X), train=True)
