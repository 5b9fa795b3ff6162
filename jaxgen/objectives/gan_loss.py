"""What each player of a game lowers, from the critic's raw outputs on one real and one fake."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.types import Scalar
from jaxgen.values import Value, known_by_call

PairLoss: TypeAlias = Callable[[Array, Array], Scalar]
"""`(critic_real, critic_fake) -> loss`, of one datapoint and one sample of the generator."""

Centering: TypeAlias = Callable[[Array, Array], tuple[Array, Array]]
"""`(critic_real, critic_fake) -> the two as the losses take them`, each [batch]."""


def as_they_are(critic_real: Array, critic_fake: Array) -> tuple[Array, Array]:
    """The outputs themselves."""
    return critic_real, critic_fake


class GanLoss(Value):
    """What each player lowers, one value per pair of a real and a fake; average outside.

    The critic's outputs are raw: any real number, higher for what looks real. Both losses take one
    number each, of shape (), and raise ValueError for any other shape: a critic that returns
    [batch, 1] is refused, not broadcast. Where a loss leaves one of the two unused, the other alone
    sets its gradient.

    Attributes:
      generator: the generator's loss.
      critic: the critic's.
      centered: what is done to a batch of outputs first; nothing, but for losses that compare an
        output with the mean of the other side's.
    Example:
      >>> loss, critic_real, critic_fake = non_saturating(), jnp.array([2.0, 1.0]), jnp.zeros(2)
      >>> real, fake = loss.centered(critic_real, critic_fake)  # [batch] each
      >>> jax.vmap(loss.critic)(real, fake).shape
      (2,)
    """

    generator: PairLoss
    critic: PairLoss
    centered: Centering = as_they_are


@known_by_call
def gan_loss(
    *, generator: PairLoss, critic: PairLoss, centered: Centering = as_they_are
) -> GanLoss:
    """Returns the two losses, each made to refuse anything but one number per argument.

    Example:
      >>> loss = gan_loss(generator=lambda real, fake: -fake, critic=lambda real, fake: fake - real)
      >>> loss.critic(jnp.float32(2.0), jnp.float32(-1.0))
      Array(-3., dtype=float32)
    """
    return GanLoss(_of_numbers(generator), _of_numbers(critic), centered)


@known_by_call
def zero_sum(loss: GanLoss) -> GanLoss:
    """Returns the game in which the generator lowers minus the critic's loss, the whole of it.

    Needed wherever the critic that the generator faces depends on the generator, as under
    `game_update(..., unroll=k)`: its outputs on reals then have a gradient in the generator too,
    which a loss of the fake's term alone drops. At a fixed critic the other term is a constant, and
    of `minimax` (or `f_gan`, without the trick) nothing but the value changes.

    Args:
      loss: whose critic is kept; its generator's loss is not used.
    Example:
      >>> real, fake = jnp.float32(2.0), jnp.float32(-1.0)  # the critic's outputs
      >>> loss = zero_sum(minimax())
      >>> loss.generator(real, fake), loss.critic(real, fake)
      (Array(-0.440, dtype=float32), Array(0.440, dtype=float32))
    Source: Goodfellow et al. (2014), "Generative adversarial nets", equation 1; Metz et al. (2017),
      "Unrolled generative adversarial networks", equations 7 to 10.
    """
    return gan_loss(
        generator=lambda real, fake: -loss.critic(real, fake),
        critic=loss.critic,
        centered=loss.centered,
    )


@known_by_call
def swapped(loss: GanLoss) -> GanLoss:
    """Returns the game in which the generator lowers the critic's loss of the two sides exchanged.

    loss.critic(fake, real) pushes the output of the fake side up and that of the real side down.
    Needed wherever the generator's player makes both sides, as in a BiGAN, ((x, E(x)); (G(z), z)):
    the other losses forget the real side, and the encoder's gradient is exactly zero. Of
    `non_saturating` it is the loss on both sides; it has `zero_sum`'s aim with slopes that do not
    vanish where the critic is sure.

    Args:
      loss: whose critic is kept; its generator's loss is not used. What it does to a batch first
        must treat the sides alike, as that of `relativistic_average` does.
    Example:
      >>> real, fake = jnp.float32(2.0), jnp.float32(-1.0)  # the critic's outputs
      >>> loss = swapped(non_saturating())
      >>> loss.generator(real, fake), loss.critic(real, fake)
      (Array(3.440, dtype=float32), Array(0.440, dtype=float32))
    Source: Donahue et al. (2017), "Adversarial feature learning", section 3.4; Dumoulin et al.
      (2017), "Adversarially learned inference", section 2.1.
    """
    return gan_loss(
        generator=lambda real, fake: loss.critic(fake, real),
        critic=loss.critic,
        centered=loss.centered,
    )


def _of_numbers(loss: PairLoss) -> PairLoss:
    def of_pair(critic_real: Array, critic_fake: Array) -> Scalar:
        for name, value in (("critic_real", critic_real), ("critic_fake", critic_fake)):
            if jnp.shape(value) != ():
                raise ValueError(
                    f"{name}: got shape {jnp.shape(value)}, expected one number (shape ()): "
                    "let the critic return [batch] and vmap the loss"
                )
        return loss(critic_real, critic_fake)

    return of_pair
