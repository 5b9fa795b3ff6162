"""The two players' losses of a game, written once over what it compares: a real and a fake side."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array

from jaxgen.checks import not_negative
from jaxgen.objectives.gan_loss import GanLoss
from jaxgen.objectives.one_sample import OneCritic, one_sample_critic
from jaxgen.objectives.outputs import loss_of_critic, loss_of_generator
from jaxgen.objectives.penalties import Penalty
from jaxgen.types import GameLosses, Info, Key, Variables

SIDES, CRITIC = 2**32 - 1, 2**32 - 2
"""Folded into a key: far from the counters that a split of the same key uses."""


@runtime_checkable
class GameModel(Protocol):
    """What a game's losses ask of a model, `jaxgen.models.gan` for one.

    A side is any pytree of arrays with a common leading axis: (x; G(z)) for a GAN,
    ((x, E(x)); (G(z), z)) for a BiGAN, (y; G(x)) for a translation.

    Example:
      >>> nets = MLPGenerator((8,), (2,)), MLPCritic((8,))
      >>> model = gan(*nets, latent_size=2, x_shape=(2,))

      >>> isinstance(model, GameModel)
      True
    """

    def draw(self, key: Key, x: Any) -> Any:
        """Returns the batch: the data and what is drawn beside them, such as latents."""
        ...

    def sides(
        self, generator: Variables, key: Key, batch: Any, *, train: bool
    ) -> tuple[Any, Any, Variables]:
        """Returns the real side, the fake side, and what changed in the generator's collections."""
        ...

    @property
    def criticize(self) -> Callable[..., tuple[Array, Variables]]:
        """`(critic's variables, side, *, key=None, train) -> (one raw output each, changed)`."""
        ...


def game_losses(
    model: GameModel,
    loss: GanLoss,
    *,
    penalty: Penalty | None = None,
    penalty_weight: ArrayLike | Callable[[Any], ArrayLike] | None = None,
) -> GameLosses:
    """Returns what training needs of a game: each player's mean loss over a batch.

    Both sides pass the critic apart, as two batches, the second with what the first changed in the
    critic's collections. Outputs are widened to float32 before they are compared. The penalty is
    taken outside training mode (running statistics), a pack at a time. The critic's info has its
    `accuracy` (a positive output says real) and the mean outputs, `of_reals` and `of_fakes`.

    Args:
      model: whose sides are compared.
      loss: per pair of a real and a fake.
      penalty: on the critic's slope, averaged over the pairs.
      penalty_weight: its weight in the critic's loss; or a function of the number of the critic's
        updates so far, such as an optax schedule or `lazy`. Where that is zero the penalty is not
        computed, and shown as zero. (Of games under one `vmap` it is, and counts for nothing.)
    Raises:
      ValueError: `loss` is no GanLoss; a penalty comes without a weight, or with one below zero.
    Example:
      >>> nets = MLPGenerator((8,), (2,)), MLPCritic((8,))
      >>> model = gan(*nets, latent_size=2, x_shape=(2,))
      >>> losses = game_losses(model, wasserstein(), penalty=gradient_penalty, penalty_weight=10.0)
      >>> generator, critic = model.init(jax.random.key(0))
      >>> batch = losses.draw(jax.random.key(1), jnp.ones((4, 2)))
      >>> sides = losses.sides(generator, jax.random.key(2), batch)
      >>> value, _, info = losses.critic(critic, sides, jax.random.key(2), batch)
      >>> expected = info["of_fakes"] - info["of_reals"] + 10.0 * info["penalty"]
      >>> bool(jnp.isclose(value, expected))
      True
    """
    if not isinstance(loss, GanLoss):
        raise ValueError(f"loss: got {loss!r}, expected a GanLoss, such as wasserstein() returns")
    if penalty is not None:
        _check_penalty(penalty, penalty_weight)

    def sides(generator: Variables, key: Key, batch: Any) -> tuple[Any, Any]:
        real, fake, _ = model.sides(generator, jax.random.fold_in(key, SIDES), batch, train=True)
        return real, fake

    def of_generator(
        own: Variables, critic: Variables, key: Key, batch: Any
    ) -> tuple[Array, Variables, Info]:
        # The same fakes as the critic's loss sees under this key, which unrolling makes once.
        side_key = jax.random.fold_in(key, SIDES)
        real, fake, changed = model.sides(own, side_key, batch, train=True)
        real_key, fake_key = jax.random.split(jax.random.fold_in(key, CRITIC))
        of_fakes, _ = model.criticize(critic, fake, key=fake_key, train=True)
        # Most losses make no use of the reals; the compiler then leaves this pass out.
        of_reals, _ = model.criticize(critic, real, key=real_key, train=True)
        return loss_of_generator(loss, of_reals, of_fakes), changed, {}

    def of_critic(
        own: Variables, sides: tuple[Any, Any], key: Key, batch: Any, *, step: Any = 0
    ) -> tuple[Array, Variables, Info]:
        real, fake = sides
        real_key, fake_key = jax.random.split(jax.random.fold_in(key, CRITIC))
        of_reals, changed = model.criticize(own, real, key=real_key, train=True)
        between = {**own, **changed}
        of_fakes, changed = model.criticize(between, fake, key=fake_key, train=True)
        value, info = loss_of_critic(loss, of_reals, of_fakes)
        if penalty is not None:
            packing = jax.tree.leaves(real)[0].shape[0] // len(of_reals)
            one = one_sample_critic(model.criticize, own, packing=packing)
            mean = partial(_mean_penalty, penalty, one, key, sides, packing)
            weight: Any = penalty_weight
            if callable(penalty_weight):
                weight = penalty_weight(step)
                if callable(weight):
                    raise ValueError(
                        f"penalty_weight: got {penalty_weight!r}, whose value is a function, "
                        "expected one to numbers, such as lazy(1.0) returns"
                    )
                info["penalty"] = _unless_zero(weight, mean)
            else:
                info["penalty"] = mean()
            value += weight * info["penalty"]
        return value, changed, info

    return GameLosses(model.draw, sides, of_generator, of_critic)


def _check_penalty(penalty: Any, weight: Any) -> None:
    if weight is None:
        raise ValueError(f"penalty_weight: got None with {penalty!r}, expected its weight")
    not_negative("penalty_weight", weight)


def _unless_zero(weight: Any, measure: Callable[[], Array]) -> Array:
    found = jax.eval_shape(measure)
    return jax.lax.cond(weight != 0, measure, lambda: jnp.zeros(found.shape, found.dtype))


def _mean_penalty(
    penalty: Penalty, critic: OneCritic, key: Key, sides: tuple[Any, Any], packing: int
) -> Array:
    if packing > 1:
        sides = jax.tree.map(lambda array: array.reshape(-1, packing, *array.shape[1:]), sides)
    keys = jax.random.split(key, jax.tree.leaves(sides)[0].shape[0])
    return jnp.mean(jax.vmap(lambda key, *pair: penalty(key, critic, *pair))(keys, *sides))
