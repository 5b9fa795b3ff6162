"""The players' losses of a critic's raw outputs on reals and fakes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.numerics import at_least_float32
from jaxgen.objectives.gan_loss import GanLoss
from jaxgen.types import Info, Scalar

Outputs = Float[Array, "n ..."]
"""One for each datapoint, or for each patch of it."""


def loss_of_generator(loss: GanLoss, of_reals: Outputs, of_fakes: Outputs) -> Scalar:
    """Returns the mean of the generator's loss over all pairs of a real and a fake output."""
    of_reals, of_fakes = (at_least_float32("critic", each) for each in (of_reals, of_fakes))
    return jnp.mean(jax.vmap(loss.generator)(*loss.centered(of_reals.ravel(), of_fakes.ravel())))


def loss_of_critic(loss: GanLoss, of_reals: Outputs, of_fakes: Outputs) -> tuple[Scalar, Info]:
    """Returns the mean of the critic's loss, and what its outputs are.

    The info has their means, `of_reals` and `of_fakes`, and `accuracy`: a positive one says real.
    """
    of_reals, of_fakes = (at_least_float32("critic", each) for each in (of_reals, of_fakes))
    value = jnp.mean(jax.vmap(loss.critic)(*loss.centered(of_reals.ravel(), of_fakes.ravel())))
    return value, {
        "accuracy": (jnp.mean(of_reals > 0) + jnp.mean(of_fakes < 0)) / 2,
        "of_reals": jnp.mean(of_reals),
        "of_fakes": jnp.mean(of_fakes),
    }
