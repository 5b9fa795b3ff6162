"""The two players' losses of an unpaired translation: adversarial, cycle and identity terms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array

from jaxgen.checks import not_negative
from jaxgen.numerics import at_least_float32
from jaxgen.objectives.gan import least_squares
from jaxgen.objectives.gan_loss import GanLoss
from jaxgen.objectives.outputs import loss_of_critic, loss_of_generator
from jaxgen.types import GameLosses, Info, Key, Pool, Scalar, Variables

OTHER = {"x": "y", "y": "x"}

FAKES, CYCLE, CRITICS, POOLS, IDENTITY = (2**32 - i for i in range(1, 6))
"""Folded into a key: far from the counters that a split of the same key uses."""


@runtime_checkable
class CycleModel(Protocol):
    """What the losses ask of a model, `jaxgen.models.cyclegan` for one.

    Passes are `(its player's variables, inputs, *, key=None, train) -> (outputs, changed)`.

    Example:
      >>> nets = nn.Dense(2), nn.Dense(2), MLPCritic((8,)), MLPCritic((8,))
      >>> isinstance(cyclegan(*nets, x_shape=(2,), y_shape=(2,)), CycleModel)
      True
    """

    @property
    def forward(self) -> Callable[..., tuple[Any, Variables]]:
        """Translates x to y."""
        ...

    @property
    def backward(self) -> Callable[..., tuple[Any, Variables]]:
        """Translates y to x."""
        ...

    @property
    def criticize_x(self) -> Callable[..., tuple[Any, Variables]]:
        """Raw outputs of x, [n] or one for each patch."""
        ...

    @property
    def criticize_y(self) -> Callable[..., tuple[Any, Variables]]:
        """Raw outputs of y."""
        ...

    @property
    def x_shape(self) -> tuple[int, ...]:
        """Shape of one x."""
        ...

    @property
    def y_shape(self) -> tuple[int, ...]:
        """Shape of one y."""
        ...

    @property
    def pool(self) -> Pool | None:
        """From which the critics are shown past fakes."""
        ...


def cycle_losses(
    model: CycleModel,
    loss: GanLoss | None = None,
    *,
    cycle_weight: ArrayLike = 10.0,
    identity_weight: ArrayLike = 5.0,
) -> GameLosses:
    """Returns what training needs of G: x to y, F: y to x and their critics, for unpaired (x, y).

    The generators lower

        L(D_y(G(x))) + L(D_x(F(y))) + cycle_weight (|F(G(x)) - x| + |G(F(y)) - y|)
                                    + identity_weight (|G(y) - y| + |F(x) - x|),

    |.| the mean over datapoints and pixels, L the mean over datapoints and patches; the critics
    lower the sum of their own losses of reals and fakes. With the model's pool they are shown past
    fakes among the present ones, the generators' loss is of the present ones alone.

    Train with `game_update(..., order=simultaneous)`, as the authors do: both players move at the
    same fakes, which are made once. The published rate is constant and then falls to zero in as
    many steps: `optax.join_schedules([optax.constant_schedule(2e-4), optax.linear_schedule(2e-4, 0,
    steps // 2)], [steps // 2])`, with b1 = .5 for both players.

    Units: a weight of 10 with `least_squares` of images in [0, 1] is exactly the authors' 10, and
    with no other loss. They have twice our least squares, and in [-1, 1] twice the distances. Their
    identity weight, .5 of lambda, is the 5 of here.

    A weight of the number 0 leaves its term out, with what it takes to compute; a traced one does
    not. A relativistic loss pairs a patch of a real with the patch at the same place of a fake.

    The generators' info has `adversarial`, and `cycle` and `identity` where they are computed, each
    the sum of both directions; the critics' the mean of both of `accuracy` (a positive output says
    real), `of_reals` and `of_fakes`.

    Args:
      model: `jaxgen.models.cyclegan(...)`.
      loss: per pair of a real and a fake; `least_squares()` by default.
      cycle_weight: of what is lost on the way there and back.
      identity_weight: of what a generator changes where nothing is to be changed; 0 for domains of
        different shapes, such as gray and colored images.
    Raises:
      ValueError: `loss` is no GanLoss; a weight is below zero or NaN; the identity is weighed
        between different shapes; in use, the batch is not of two domains.
    Example:
      >>> nets = nn.Dense(2), nn.Dense(2), MLPCritic((8,)), MLPCritic((8,))
      >>> model = cyclegan(*nets, x_shape=(2,), y_shape=(2,))
      >>> losses = cycle_losses(model, least_squares(), cycle_weight=10.0, identity_weight=5.0)
      >>> generators, critics = model.init(jax.random.key(0))
      >>> batch = jnp.ones((4, 2)), jnp.zeros((4, 2))  # x and y, never paired
      >>> value, _, info = losses.generator(generators, critics, jax.random.key(1), batch)
      >>> expected = info["adversarial"] + 10.0 * info["cycle"] + 5.0 * info["identity"]
      >>> bool(jnp.isclose(value, expected))
      True
    Source: Zhu et al. (2017), "Unpaired image-to-image translation using cycle-consistent
      adversarial networks", equations 1 to 3, sections 4 and 5.2 (identity).
    """
    loss = least_squares() if loss is None else loss
    if not isinstance(loss, GanLoss):
        raise ValueError(f"loss: got {loss!r}, expected a GanLoss, such as least_squares() returns")
    weights = {"cycle": cycle_weight, "identity": identity_weight}
    weights = {term: weight for term, weight in weights.items() if _is_on(weight)}
    if "identity" in weights and model.x_shape != model.y_shape:
        raise ValueError(
            f"identity_weight: got {identity_weight} for x of shape {model.x_shape} and y of shape "
            f"{model.y_shape}, expected 0: a generator cannot leave the other domain as it is"
        )
    not_negative("cycle_weight", cycle_weight)
    not_negative("identity_weight", identity_weight)
    into = {"x": model.backward, "y": model.forward}
    critics = {"x": model.criticize_x, "y": model.criticize_y}

    def draw(key: Key, data: tuple[Array, Array]) -> tuple[Array, Array]:
        return data

    def sides(generators: Variables, key: Key, batch: Any) -> dict[str, Any]:
        reals = _by_domain(batch)
        fakes, _ = translated(generators, key, reals)
        return {name: (reals[name], fakes[name]) for name in reals}

    def translated(
        generators: Variables, key: Key, reals: dict[str, Any]
    ) -> tuple[dict[str, Any], Variables]:
        """Returns F(y) and G(x), by their domain, and the generators after both."""
        fakes = {}
        for name, source in OTHER.items():
            own_key = _key(key, FAKES, name)
            fakes[name], generators = _pass(into[name], generators, reals[source], own_key)
        return fakes, generators

    def terms_of(
        name: str, own: Variables, other: Variables, key: Key, reals: Any, fakes: Any
    ) -> tuple[Info, Variables]:
        """Returns the terms of the generator into one domain, and its player after them."""
        key_real, key_fake = jax.random.split(_key(key, CRITICS, name))
        of_fakes, _ = _pass(critics[name], other, fakes[name], key_fake)
        # Most losses make no use of the reals; the compiler then leaves this pass out.
        of_reals, _ = _pass(critics[name], other, reals[name], key_real)
        terms: Info = {"adversarial": loss_of_generator(loss, of_reals, of_fakes)}
        sources = {"cycle": (fakes[OTHER[name]], CYCLE), "identity": (reals[name], IDENTITY)}
        for term in weights:
            images, purpose = sources[term]
            made, own = _pass(into[name], own, images, _key(key, purpose, name))
            terms[term] = jnp.mean(jnp.abs(at_least_float32("image", made) - reals[name]))
        return terms, own

    def of_generators(
        own: Variables, other: Variables, key: Key, batch: Any
    ) -> tuple[Scalar, Variables, Info]:
        reals = _by_domain(batch)
        fakes, own = translated(own, key, reals)
        of_x, own = terms_of("x", own, other, key, reals, fakes)
        of_y, own = terms_of("y", own, other, key, reals, fakes)
        info = jax.tree.map(jnp.add, of_x, of_y)
        value = info["adversarial"]
        for term, weight in weights.items():
            value += weight * info[term]
        return value, _collections(own), info

    def of_critic(
        name: str, own: Variables, key: Key, real: Any, fake: Any
    ) -> tuple[Scalar, Variables, Info]:
        """Returns one domain's critic's loss, its player after it, and what it says."""
        if model.pool is not None:
            pools = own["pool"]
            fake, stored = model.pool.swap(pools[name], _key(key, POOLS, name), fake)
            own = {**own, "pool": {**pools, name: stored}}
        key_real, key_fake = jax.random.split(_key(key, CRITICS, name))
        of_reals, own = _pass(critics[name], own, real, key_real)
        of_fakes, own = _pass(critics[name], own, fake, key_fake)
        value, info = loss_of_critic(loss, of_reals, of_fakes)
        return value, own, info

    def of_critics(
        own: Variables, sides: dict[str, Any], key: Key, batch: tuple[Array, Array]
    ) -> tuple[Scalar, Variables, Info]:
        of_x, own, info_x = of_critic("x", own, key, *sides["x"])
        of_y, own, info_y = of_critic("y", own, key, *sides["y"])
        info = jax.tree.map(lambda x, y: (x + y) / 2, info_x, info_y)
        return of_x + of_y, _collections(own), info

    return GameLosses(draw, sides, of_generators, of_critics)


def _by_domain(batch: Any) -> dict[str, Any]:
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        found = f"{len(batch)} sets" if isinstance(batch, tuple | list) else type(batch).__name__
        raise ValueError(f"batch: got {found}, expected two, (x, y)")
    return dict(zip("xy", batch, strict=True))


def _is_on(weight: Any) -> bool:
    return not isinstance(weight, int | float | np.number) or bool(weight != 0)


def _key(key: Key, purpose: int, name: str) -> Key:
    return jax.random.fold_in(jax.random.fold_in(key, purpose), "xy".index(name))


def _pass(
    apply: Callable[..., tuple[Any, Variables]], variables: Variables, inputs: Any, key: Key
) -> tuple[Any, Variables]:
    """Returns what one net makes of a batch in training, and its player's variables after it."""
    outputs, changed = apply(variables, inputs, key=key, train=True)
    return outputs, {**variables, **changed}


def _collections(variables: Variables) -> Variables:
    return {name: tree for name, tree in variables.items() if name != "params"}
