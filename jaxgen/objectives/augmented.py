"""A game whose critic sees augmented samples alone, real and fake alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jaxtyping import Array

from jaxgen.objectives.game import GameModel
from jaxgen.types import Key, Variables

AUGMENT = 2**32 - 3
"""Folded into a key: far from the counters that a split of the same key uses."""


class Augmented(NamedTuple):
    """A game model with the first array of either side augmented.

    Attributes:
      model: the game as it was, whose generator makes samples that are not augmented.
      augment: `(key, array) -> array` of the same shape.
    Example:
      >>> nets = MLPGenerator((8,), (2,)), MLPCritic((8,))
      >>> model = gan(*nets, latent_size=2, x_shape=(2,))

      >>> seen = augmented(model, lambda key, x: -x)
      >>> seen.model is model
      True
    """

    model: Any
    augment: Callable[[Key, Array], Array]

    @property
    def init(self) -> Callable[[Key], tuple[Variables, Variables]]:
        """The model's."""
        return self.model.init

    @property
    def criticize(self) -> Callable[..., tuple[Array, Variables]]:
        """The model's: what it is given is augmented already."""
        return self.model.criticize

    def draw(self, key: Key, x: Any) -> Any:
        """Returns the model's batch."""
        return self.model.draw(key, x)

    def sides(
        self, generator: Variables, key: Key, batch: Any, *, train: bool
    ) -> tuple[Any, Any, Variables]:
        """Returns the model's sides, augmented each by draws of its own."""
        keys = jax.random.split(jax.random.fold_in(key, AUGMENT))
        real, fake, changed = self.model.sides(generator, key, batch, train=train)
        return self._augmented(keys[0], real), self._augmented(keys[1], fake), changed

    def _augmented(self, key: Key, side: Any) -> Any:
        leaves, structure = jax.tree.flatten(side)
        seen = self.augment(key, leaves[0])
        if (seen.shape, seen.dtype) != (leaves[0].shape, leaves[0].dtype):
            raise ValueError(
                f"augment: got {seen.dtype} of shape {seen.shape}, expected {leaves[0].dtype} of "
                f"shape {leaves[0].shape}, as it was given"
            )
        return jax.tree.unflatten(structure, [seen, *leaves[1:]])


def augmented(model: GameModel, augment: Callable[[Key, Array], Array]) -> Augmented:
    """Returns the game of T(x) and T(G(z)), T random, in the place of x and G(z).

    The critic never sees a sample twice alike, so few reals last longer. The generator learns
    through T, and where it has the data's distribution the two sides still have one: what T does is
    not learned, so long as it can be undone in distribution. (Augmenting the reals alone would
    teach it.) Of a side that is more than samples, (x, labels) or (x, E(x)), T is of x, the first
    array.

    A penalty sees what the critic sees: its slope is at T(x) and in T(x). StyleGAN2 with
    augmentation takes it at T(x) in x, which differs by the factor that T stretches by.

    Args:
      model: any game model; draw samples with it, not with what is returned.
      augment: `(key, samples) -> samples` that a gradient passes through, such as those of
        `jaxgen.data`.
    Raises:
      ValueError: in use, if `augment` changes shape or dtype.
    Example:
      >>> nets = MLPGenerator((8,), (2,)), MLPCritic((8,))
      >>> model = gan(*nets, latent_size=2, x_shape=(2,))

      >>> seen = augmented(model, lambda key, x: x + 0.1 * jax.random.normal(key, x.shape))
      >>> losses = game_losses(seen, non_saturating())
      >>> generator, _ = seen.init(jax.random.key(0))
      >>> batch = losses.draw(jax.random.key(1), jnp.ones((4, 2)))
      >>> real, fake = losses.sides(generator, jax.random.key(2), batch)
      >>> bool(jnp.any(real == 1.0))
      False
    Source: Zhao et al. (2020), "Differentiable augmentation for data-efficient GAN training",
      equations 4 and 5; Karras et al. (2020b), "Training generative adversarial networks with
      limited data", section 2.2, for when T is not learned.
    """
    return Augmented(model, augment)
