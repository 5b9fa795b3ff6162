"""What the players of every game are given: floats of the model's own shape, or an error."""

import jax
import jax.numpy as jnp
import optax
import pytest

from jaxgen.models import bigan, conditional_gan, cyclegan, gan, standard_normal
from jaxgen.nets import MLPCritic, MLPGenerator, MLPTranslator, concatenated, labeled
from jaxgen.objectives import game_losses, hinge
from jaxgen.train import game_update, init_game

KEY = jax.random.key(0)
SHAPE = (2, 2, 1)
IMAGES = jnp.full((4, *SHAPE), 0.5)
LABELS = jnp.array([0, 1, 2, 1])
generator, critic = MLPGenerator((3,), SHAPE), MLPCritic((3,))
GAN = gan(generator, critic, latent_size=3, x_shape=SHAPE)
CONDITIONAL = conditional_gan(
    labeled(generator, 3), labeled(critic, 3), num_classes=3, latent_size=3, x_shape=SHAPE
)
BIGAN = bigan(
    generator, concatenated(MLPGenerator((), (3,))), concatenated(critic),
    prior=standard_normal(3), x_shape=SHAPE,
)  # fmt: skip
CYCLE = cyclegan(*[MLPTranslator((3,))] * 2, *[critic] * 2, x_shape=SHAPE, y_shape=SHAPE)
Z = jnp.zeros((4, 3))
# What is refused is refused before a variable is looked at.
SAMPLES = {
    "gan draws": ("x", lambda x: GAN.draw(KEY, x)),
    "gan's critic": ("x", lambda x: GAN.criticize({}, x)),
    "conditional gan draws": ("x", lambda x: CONDITIONAL.draw(KEY, (x, LABELS))),
    "conditional gan's critic": ("x", lambda x: CONDITIONAL.criticize({}, (x, LABELS))),
    "bigan draws": ("x", lambda x: BIGAN.draw(KEY, x)),
    "bigan's critic": ("x", lambda x: BIGAN.criticize({}, (x, Z))),
    "bigan's encoder": ("x", lambda x: BIGAN.encode({}, x)),
    "cyclegan's forward": ("x", lambda x: CYCLE.forward({}, x)),
    "cyclegan's backward": ("y", lambda y: CYCLE.backward({}, y)),
    "cyclegan's critic of x": ("x", lambda x: CYCLE.criticize_x({}, x)),
    "cyclegan's critic of y": ("y", lambda y: CYCLE.criticize_y({}, y)),
}
LATENTS = {
    "gan": lambda z: GAN.generate({}, z),
    "conditional gan": lambda z: CONDITIONAL.generate({}, (z, LABELS)),
    "bigan": lambda z: BIGAN.generate({}, z),
    "bigan's critic": lambda z: BIGAN.criticize({}, (IMAGES, z)),
}


@pytest.mark.parametrize("given", SAMPLES)
def test_samples_are_floats_of_the_models_shape(given):
    """Bytes are 0 to 255 and a generator's images 0 to 1: no critic could be fooled, or taught."""
    name, take = SAMPLES[given]
    bad = {
        r"uint8 of shape \(4, 2, 2, 1\)": (255 * IMAGES).astype(jnp.uint8),
        r"float32 of shape \(4, 2, 2\)": IMAGES[..., 0],
        r"float32 of shape \(2, 2, 1\)": IMAGES[0],
        r"float32 of shape \(4, 3, 2, 1\)": jnp.zeros((4, 3, 2, 1)),
        r"float32 of shape \(0, 2, 2, 1\)": IMAGES[:0],
        "a list": [[0.5]] * 4,
        "a tuple": (IMAGES, LABELS, LABELS),
    }
    for message, x in bad.items():
        expected = rf"^{name}: got {message}, expected floating-point .* \(n >= 1, 2, 2, 1\)$"
        with pytest.raises(ValueError, match=expected):
            take(x)


@pytest.mark.parametrize("given", LATENTS)
def test_latents_are_vectors_of_the_models_length(given):
    for z in (Z[:, :2], Z[0], Z[:0], Z.astype(int)):
        with pytest.raises(ValueError, match=r"^z: got .*, expected .* of shape \(n >= 1, 3\)$"):
            LATENTS[given](z)


@pytest.mark.parametrize("model", [GAN, CONDITIONAL, BIGAN])
def test_a_count_of_latents_is_positive(model):
    for count in (0, -1):
        with pytest.raises(ValueError, match=f"count: got {count}, expected an integer >= 1"):
            model.sample_latent(KEY, count)


def test_what_comes_in_pairs_is_refused_alone():
    for take, name in (
        (lambda x: CONDITIONAL.draw(KEY, x), "x"),
        (lambda x: CONDITIONAL.criticize({}, x), "x"),
        (lambda z: CONDITIONAL.generate({}, z), "z"),
        (lambda pair: BIGAN.criticize({}, pair), "pair"),
    ):
        with pytest.raises(ValueError, match=f"^{name}: got .*, expected a pair"):
            take(IMAGES)


def test_a_net_of_fewer_classes_than_the_model_is_refused():
    """It would see the last classes as none, silently: training is under jit."""
    few = [
        (labeled(generator, 2), labeled(critic, 3)),
        (labeled(generator, 3), labeled(critic, 2)),
    ]
    for nets in few:
        model = conditional_gan(*nets, num_classes=3, latent_size=3, x_shape=SHAPE)
        with pytest.raises(ValueError, match="labels: got values from 1 to 2, expected 0 to 1"):
            jax.eval_shape(model.init, KEY)


def test_labels_known_outside_of_jit_are_looked_at_within():
    variables, _ = jax.eval_shape(CONDITIONAL.init, KEY)

    def within(labels):
        return jax.eval_shape(lambda of, z: CONDITIONAL.generate(of, (z, labels))[0], variables, Z)

    assert within(jnp.full(4, 2)).shape == IMAGES.shape
    with pytest.raises(ValueError, match="labels: got values from 3 to 3"):
        within(jnp.full(4, 3))


def test_bytes_are_refused_where_a_game_is_trained():
    adam = optax.adam(1e-3)
    update = game_update(game_losses(GAN, hinge()), adam, adam)
    game = jax.eval_shape(lambda key: init_game(key, GAN, adam, adam), KEY)
    jax.eval_shape(update, game, KEY, IMAGES)
    with pytest.raises(ValueError, match="x: got uint8 of shape"):
        jax.eval_shape(update, game, KEY, IMAGES.astype(jnp.uint8))
