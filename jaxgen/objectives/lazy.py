"""A penalty of every k-th step alone: the same in the mean, at a k-th of the cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array

from jaxgen.checks import at_least, not_negative
from jaxgen.values import known_by_call


@known_by_call
def lazy(weight: ArrayLike | Callable[[Any], Any], *, every: int = 16) -> Callable[[Any], Array]:
    """Returns the weight of a penalty that is taken every so many updates of the critic.

    At updates 0, k, 2k, ... it is k times the weight, and zero between, where `game_losses` does
    not compute the penalty at all. Its mean over k updates is the weight. It goes by the number of
    updates alone, so that a resumed training goes on where it was.

    Args:
      weight: a number, or a function of the number of updates.
      every: k.
    Raises:
      ValueError: every is below one, or weight a number below zero.
    Example:
      >>> gamma = 10.0
      >>> weight = lazy(gamma / 2, every=16)  # as `penalty_weight` of `game_losses`
      >>> [float(weight(step)) for step in (0, 1, 15, 16)]
      [80.0, 0.0, 0.0, 80.0]
    Source: Karras et al. (2020a), "Analyzing and improving the image quality of StyleGAN",
      section 3.1; its Adam sees k / (k + 1) as many steps, since there the penalty is a step of its
      own, and here a part of the loss.
    """
    every = at_least("every", every, 1)
    not_negative("weight", weight)

    def at(step: Any) -> Array:
        now: Any = weight(step) if callable(weight) else weight
        return jnp.where(jnp.asarray(step) % every == 0, every * now, 0.0)

    return at
