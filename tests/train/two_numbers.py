"""A game of two numbers, g and c, with its gradients by hand."""

import jax.numpy as jnp
import numpy as np
import optax

from jaxgen.train import Game, init_player

LR_G, LR_C = 0.1, 0.3


def generator_loss(own, other, key, batch):
    """g c mean(x) + g²/2: with the critic's, a game of two numbers."""
    g, c = own["params"], other["params"]
    return g * c * batch.mean() + 0.5 * g**2, {}, {"seen": batch.mean()}


def critic_loss(own, other, key, batch):
    c, g = own["params"], other["params"]
    return 0.5 * c**2 - g * c * batch.mean() + jnp.sin(c), {}, {}


def gradients(g, c, x):
    return c * x + g, c - g * x + np.cos(c)


def two_numbers(g=0.7, c=-0.4, optimizers=None, ema=False):
    generator, critic = optimizers or (optax.sgd(LR_G), optax.sgd(LR_C))
    return Game(
        generator=init_player({"params": jnp.float32(g)}, generator, ema=ema),
        critic=init_player({"params": jnp.float32(c)}, critic),
    )


def values(game):
    return float(game.generator.train.params), float(game.critic.train.params)


def adam_by_hand(c, g, x, state, steps, *, b1=0.5, b2=0.999, eps_root=1e-16):
    count, first, second = state
    for _ in range(steps):
        count += 1
        gradient = gradients(g, c, x)[1]
        first = b1 * first + (1 - b1) * gradient
        second = b2 * second + (1 - b2) * gradient**2
        rate = LR_C * first / (1 - b1**count)
        c = c - rate / (np.sqrt(second / (1 - b2**count) + eps_root) + 1e-8)
    return c, (count, first, second)
