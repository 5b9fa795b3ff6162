"""The law of games whose generator's player makes both sides: its encoder learns."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.divergences import DIVERGENCES
from jaxgen.objectives import (
    GAN_LOSSES,
    f_gan,
    game_losses,
    hinge,
    least_squares,
    non_saturating,
    relativistic_average,
    swapped,
    wasserstein,
)

LOSSES = {name: make() for name, make in GAN_LOSSES.items()} | {
    f"f_gan {name}": f_gan(divergence)
    for name, divergence in DIVERGENCES.items()
    if name != "total_variation"  # its canonical bound has no slope
}
BATCH = (jnp.array([0.4, -1.1, 2.0]), jnp.array([-0.3, 0.8, 1.7]))


class Scales(NamedTuple):
    """((x, e x); (g z, z)) and the critic .2 x + .1 z - .05 x z: every slope by hand."""

    def init(self, key):
        return {"params": {"G": jnp.float32(0.7), "E": jnp.float32(0.5)}}, {"params": ()}

    def draw(self, key, x):
        return x, BATCH[1]

    def sides(self, generator, key, batch, *, train):
        (x, z), params = batch, generator["params"]
        return (x, params["E"] * x), (params["G"] * z, z), {}

    def criticize(self, variables, side, *, key=None, train=False):
        x, z = side
        return 0.2 * x + 0.1 * z - 0.05 * x * z, {}


def slopes(loss):
    """Of the generator's loss in (encoder, generator)."""
    model = Scales()
    variables, critic = model.init(None)
    of_generator = game_losses(model, loss).generator

    def value(params):
        return of_generator({"params": params}, critic, jax.random.key(0), BATCH)[0]

    found = jax.jit(jax.grad(value))(variables["params"])
    return float(found["E"]), float(found["G"])


@pytest.mark.parametrize("name", LOSSES)
def test_the_encoder_of_a_swapped_game_has_a_slope(name):
    encoder, generator = slopes(swapped(LOSSES[name]))
    assert abs(encoder) > 1e-3
    assert abs(generator) > 1e-3


FORGETFUL = [name for name in LOSSES if not name.startswith("relativistic")]


@pytest.mark.parametrize("name", FORGETFUL)
def test_the_plain_losses_forget_it(name):
    """The broken twin that the law above must reject."""
    encoder, generator = slopes(LOSSES[name])
    assert encoder == 0
    assert abs(generator) > 1e-3


@pytest.mark.parametrize("name", LOSSES)
def test_the_real_side_is_pushed_down_and_the_fake_side_up(name):
    """Outputs between the targets, 0 and 1, and within the margin of the hinge."""
    loss = swapped(LOSSES[name])
    real, fake = jnp.meshgrid(jnp.array([0.15, 0.5, 0.9]), jnp.array([0.1, 0.4, 0.85]))

    def value(real, fake):
        return jnp.sum(jax.vmap(loss.generator)(*loss.centered(real, fake)))

    down, up = jax.grad(value, (0, 1))(real.ravel(), fake.ravel())
    assert (down > 1e-3).all()
    assert (up < -1e-3).all()


@pytest.mark.parametrize("name", LOSSES)
def test_the_generator_lowers_the_critics_loss_of_the_sides_exchanged(name):
    """Centered, too: what is done to a batch first is done to the exchanged one."""
    loss, both = LOSSES[name], swapped(LOSSES[name])
    real, fake = jnp.array([0.3, -1.2, 2.0]), jnp.array([0.9, 0.1, -0.6])
    np.testing.assert_allclose(
        jax.vmap(both.generator)(*both.centered(real, fake)),
        jax.vmap(loss.critic)(*loss.centered(fake, real)),
        rtol=1e-6,
    )
    np.testing.assert_array_equal(
        jax.vmap(both.critic)(real, fake), jax.vmap(loss.critic)(real, fake)
    )
    assert both.centered is loss.centered
    assert repr(both) == f"swapped({loss!r})"
    assert both == swapped(loss)


@pytest.mark.parametrize("make", [non_saturating, wasserstein, hinge])
def test_it_is_the_loss_of_both_sides_where_that_has_a_name(make):
    """generator(r, f) + generator(f, -r); the hinge within its margin, where both are linear."""
    loss = make()
    real, fake = jnp.array([0.3, -0.7, 0.9]), jnp.array([0.8, 0.1, -0.6])
    of_both = jax.vmap(lambda r, f: loss.generator(r, f) + loss.generator(f, -r))
    swapped_slopes = jax.vmap(jax.grad(swapped(loss).generator, (0, 1)))(real, fake)
    named = jax.vmap(jax.grad(lambda r, f: of_both(r[None], f[None])[0], (0, 1)))(real, fake)
    np.testing.assert_allclose(swapped_slopes, named, rtol=1e-5)


def test_least_squares_pulls_each_side_to_the_other_sides_target():
    """Reals to 0 and not to -1, where the sum of the two generators' losses would pull them."""
    down = jax.grad(swapped(least_squares()).generator)(jnp.float32(0.0), jnp.float32(0.5))
    np.testing.assert_allclose(down, 0.0, atol=1e-7)


def test_by_hand_for_the_average():
    """-log sigmoid(f - mean r) - log sigmoid(mean f - r), r = [1, 0], f = [0, -2]."""
    loss = swapped(relativistic_average())
    pairs = loss.centered(jnp.array([1.0, 0.0]), jnp.array([0.0, -2.0]))
    value = jax.vmap(loss.generator)(*pairs)
    # f - .5 = [-.5, -2.5]; r + 1 = [2, 1]
    expected = np.logaddexp(0, [0.5, 2.5]) + np.logaddexp(0, [2.0, 1.0])
    np.testing.assert_allclose(value, expected, rtol=1e-6)
