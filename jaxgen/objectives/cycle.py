"""The two players' losses of an unpaired translation: adversarial, cycle and identity terms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxgen.checks import not_negative
from jaxgen.numerics import at_least_float32
from jaxgen.objectives.gan import least_squares
from jaxgen.objectives.gan_loss import GanLoss
from jaxgen.types import GameLosses, Info, Key, Pool, Scalar, Variables

FAKES, OTHERS, CRITICS, POOLS = 2**32 - 1, 2**32 - 2, 2**32 - 3, 2**32 - 4
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
      ValueError: `loss` is no GanLoss; a weight is a number below zero; the identity is weighed
        between different shapes.
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
    has_cycle, has_identity = _is_on(cycle_weight), _is_on(identity_weight)
    if has_identity and model.x_shape != model.y_shape:
        raise ValueError(
            f"identity_weight: got {identity_weight} for x of shape {model.x_shape} and y of shape "
            f"{model.y_shape}, expected 0: a generator cannot leave the other domain as it is"
        )
    not_negative("cycle_weight", cycle_weight)
    not_negative("identity_weight", identity_weight)
    critics = {"x": model.criticize_x, "y": model.criticize_y}

    def draw(key: Key, data: tuple[Array, Array]) -> tuple[Array, Array]:
        return data

    def sides(generators: Variables, key: Key, batch: tuple[Array, Array]) -> dict[str, Any]:
        fakes, _ = translate(generators, jax.random.fold_in(key, FAKES), *batch)
        return {name: (real, fakes[name]) for name, real in zip("xy", batch, strict=True)}

    def translate(
        generators: Variables, key: Key, x: Array, y: Array
    ) -> tuple[dict[str, Array], Variables]:
        """Returns F(y) and G(x), by domain, and the generators after both."""
        to_y, to_x = jax.random.split(key)
        fake_y, changed = model.forward(generators, x, key=to_y, train=True)
        generators = {**generators, **changed}
        fake_x, changed = model.backward(generators, y, key=to_x, train=True)
        return {"x": fake_x, "y": fake_y}, {**generators, **changed}

    def of_generators(
        own: Variables, other: Variables, key: Key, batch: tuple[Array, Array]
    ) -> tuple[Scalar, Variables, Info]:
        fakes, after = translate(own, jax.random.fold_in(key, FAKES), *batch)
        reals = dict(zip("xy", batch, strict=True))
        key_cycle, key_identity = jax.random.split(jax.random.fold_in(key, OTHERS))
        info: Info = {"adversarial": jnp.float32(0)}
        for i, (name, criticize) in enumerate(critics.items()):
            key_real, key_fake = jax.random.split(
                jax.random.fold_in(jax.random.fold_in(key, CRITICS), i)
            )
            of_fakes, _ = _judged(criticize, other, fakes[name], key_fake)
            # Most losses make no use of the reals; the compiler then leaves this pass out.
            of_reals, _ = _judged(criticize, other, reals[name], key_real)
            each = jax.vmap(loss.generator)(*loss.centered(of_reals.ravel(), of_fakes.ravel()))
            info["adversarial"] += jnp.mean(each)
        value = info["adversarial"]
        if has_cycle:
            returned, after = translate(after, key_cycle, fakes["x"], fakes["y"])
            info["cycle"] = _distance(returned, reals)
            value += cycle_weight * info["cycle"]
        if has_identity:
            same, after = translate(after, key_identity, reals["y"], reals["x"])
            info["identity"] = _distance(same, reals)
            value += identity_weight * info["identity"]
        return value, _collections(after), info

    def of_critics(
        own: Variables, sides: dict[str, Any], key: Key, batch: tuple[Array, Array]
    ) -> tuple[Scalar, Variables, Info]:
        value, after = jnp.float32(0), own
        infos, pools = [], {}
        for i, (name, criticize) in enumerate(critics.items()):
            real, fake = sides[name]
            if model.pool is not None:
                pool_key = jax.random.fold_in(jax.random.fold_in(key, POOLS), i)
                fake, pools[name] = model.pool.swap(own["pool"][name], pool_key, fake)
            key_real, key_fake = jax.random.split(
                jax.random.fold_in(jax.random.fold_in(key, CRITICS), i)
            )
            of_reals, after = _judged(criticize, after, real, key_real)
            of_fakes, after = _judged(criticize, after, fake, key_fake)
            pairs = loss.centered(of_reals.ravel(), of_fakes.ravel())
            value += jnp.mean(jax.vmap(loss.critic)(*pairs))
            infos.append(
                {
                    "accuracy": (jnp.mean(of_reals > 0) + jnp.mean(of_fakes < 0)) / 2,
                    "of_reals": jnp.mean(of_reals),
                    "of_fakes": jnp.mean(of_fakes),
                }
            )
        info = jax.tree.map(lambda of_x, of_y: (of_x + of_y) / 2, *infos)
        return value, _collections({**after, **({"pool": pools} if pools else {})}), info

    return GameLosses(draw, sides, of_generators, of_critics)


def _is_on(weight: Any) -> bool:
    return not isinstance(weight, int | float | np.number) or weight != 0


def _judged(
    criticize: Callable[..., tuple[Any, Variables]], critics: Variables, images: Any, key: Key
) -> tuple[Float[Array, "n ..."], Variables]:
    outputs, changed = criticize(critics, images, key=key, train=True)
    return at_least_float32("critic", outputs), {**critics, **changed}


def _distance(images: dict[str, Any], reals: dict[str, Any]) -> Scalar:
    """Returns the mean absolute difference in x plus that in y, in float32 at least."""
    return sum(
        (
            jnp.mean(jnp.abs(at_least_float32("image", images[name]) - real))
            for name, real in reals.items()
        ),
        start=jnp.float32(0),
    )


def _collections(variables: Variables) -> Variables:
    return {name: tree for name, tree in variables.items() if name != "params"}
