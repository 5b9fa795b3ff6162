"""The relativistic average loss: the paper's formula and slopes, means over all devices."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.optimize import approx_fprime
from scipy.special import log_expit

from jaxgen.models import GanBatch, gan
from jaxgen.nets import MLPCritic, MLPGenerator
from jaxgen.objectives import game_losses, relativistic_average, swapped, zero_sum
from jaxgen.train import alternating_step, data_mesh, init_game, replicate, shard

REAL, FAKE = np.array([2.0, 0.3, -1.2, 0.7]), np.array([0.4, -1.0, 1.9, -0.2])


def paper(outputs):
    """Equations of RaSGAN: the critic's, and the generator's with the sides exchanged."""
    real, fake = np.split(outputs, 2)
    to_fakes, to_reals = real - fake.mean(), fake - real.mean()
    critic = -log_expit(to_fakes).mean() - log_expit(-to_reals).mean()
    return critic, -log_expit(-to_fakes).mean() - log_expit(to_reals).mean()


@pytest.mark.parametrize("wrap", [None, swapped, zero_sum])
def test_values_and_slopes_are_the_papers(wrap):
    """The slopes pass through both means; swapped it is the paper's own generator."""
    loss = relativistic_average() if wrap is None else wrap(relativistic_average())
    both = np.concatenate([REAL, FAKE])

    def mean(outputs, player):
        pairs = loss.centered(*jnp.split(outputs, 2))
        return jnp.mean(jax.vmap(getattr(loss, player))(*pairs))

    of_generator = (lambda x: -paper(x)[0]) if wrap is zero_sum else (lambda x: paper(x)[1])
    for player, formula in (("critic", lambda x: paper(x)[0]), ("generator", of_generator)):
        value, slope = jax.value_and_grad(mean)(jnp.asarray(both), player)
        np.testing.assert_allclose(value, formula(both), rtol=1e-5)
        np.testing.assert_allclose(slope, approx_fprime(both, formula), atol=1e-4)


@pytest.mark.parametrize("wrap", [None, swapped])
def test_means_are_over_the_batch_of_all_devices(wrap):
    loss = relativistic_average() if wrap is None else wrap(relativistic_average())
    model = gan(MLPGenerator((4,), (2,)), MLPCritic((4,)), latent_size=3, x_shape=(2,))
    losses, sgd = game_losses(model, loss), optax.sgd(0.5)
    update = alternating_step(losses.generator, losses.critic, sgd, sgd, sides=losses.sides)
    # A device's reals are alike and unlike another's: means of its own would say nothing.
    x = jnp.repeat(jnp.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 3.0], [0.0, -3.0]]), 4, axis=0)
    batch = GanBatch(x, jax.random.normal(jax.random.key(1), (16, 3)))
    game = init_game(jax.random.key(0), model, sgd, sgd)
    mesh = data_mesh(4)
    found, info = jax.jit(shard(update, mesh))(*replicate((game, jax.random.key(2), batch), mesh))
    expected, alone = jax.jit(update)(game, jax.random.key(2), batch)
    for one, other in ((found, expected), (info, alone)):
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), one, other
        )
    apart = [
        jax.jit(update)(game, jax.random.key(2), jax.tree.map(lambda a: a[i : i + 4], batch))[1]  # noqa: B023
        for i in range(0, 16, 4)
    ]
    twin = np.mean([each["critic_loss"] for each in apart])
    assert abs(twin - info["critic_loss"]) > 1e-3, "nothing to tell the means by"
