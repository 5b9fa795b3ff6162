"""Two generators, each from one domain to the other, and a critic of each domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.array_checks import batch_of
from jaxgen.models.players import join_variables, variables_of
from jaxgen.nets import AnyNet, Net, NetApply, as_net
from jaxgen.types import Key, Pool, Variables


class CycleGan(NamedTuple):
    """Translations y = G(x) and x = F(y) between two domains, and a critic of each.

    The generators are one player, whose nets are named `forward` and `backward`; the critics are
    the other, with nets `x` and `y`. What a pass changed comes back as all of its player's
    collections: `{**variables, **changed}` are the player's next variables.

    Attributes:
      init: `key -> (generators' variables, critics' variables)`.
      forward: `(generators' variables, x, *, key=None, train=False) -> (y, changed)`.
      backward: `(generators' variables, y, *, key=None, train=False) -> (x, changed)`.
      criticize_x: `(critics' variables, x, *, key=None, train=False) -> (raw outputs, changed)`,
        [n] or one for each patch, [n, height, width].
      criticize_y: the same of y.
      x_shape: shape of one x.
      y_shape: shape of one y.
      pool: from which the critics are shown past fakes; None for present ones alone.
    Example:
      >>> net, critic = MLPTranslator((8,)), MLPCritic((8,))
      >>> model = cyclegan(net, net, critic, critic, x_shape=(4, 4, 1), y_shape=(4, 4, 1))
      >>> generators, critics = jax.eval_shape(model.init, jax.random.key(0))
      >>> sorted(generators["params"]), sorted(critics["params"])  # one player of two nets each
      (['backward', 'forward'], ['x', 'y'])
    """

    init: Callable[[Key], tuple[Variables, Variables]]
    forward: NetApply
    backward: NetApply
    criticize_x: NetApply
    criticize_y: NetApply
    x_shape: tuple[int, ...]
    y_shape: tuple[int, ...]
    pool: Pool | None


def cyclegan(
    forward: AnyNet,
    backward: AnyNet,
    critic_x: AnyNet,
    critic_y: AnyNet,
    *,
    x_shape: Sequence[int],
    y_shape: Sequence[int],
    pool: Pool | None = None,
) -> CycleGan:
    """Returns the model of four nets that map batches, each of any kind that `as_net` accepts.

    Args:
      forward: x, [n, *x_shape], to y, [n, *y_shape].
      backward: y to x.
      critic_x: x to raw outputs, [n] or [n, ...], one for each patch.
      critic_y: the same of y.
      x_shape: shape of one x.
      y_shape: shape of one y; it may be another.
      pool: such as `jaxgen.train.image_pool(50)`: `init` begins one of each domain in the critics'
        collections, under "pool".
    Raises:
      ValueError: at init, if a net's output has another shape; in use, if images are not of
        floating point or of another shape.
    Example:
      >>> G, F = ResNetGenerator(3, blocks=6), ResNetGenerator(3, blocks=6)
      >>> model = cyclegan(
      ...     G, F, PatchCritic(), PatchCritic(), x_shape=(64, 64, 3), y_shape=(64, 64, 3)
      ... )
      >>> generators, critics = jax.eval_shape(model.init, jax.random.key(0))  # shapes alone
      >>> y, _ = jax.eval_shape(model.forward, generators, jnp.zeros((2, 64, 64, 3)))
      >>> y.shape
      (2, 64, 64, 3)
    Source: Zhu et al. (2017), "Unpaired image-to-image translation using cycle-consistent
      adversarial networks", section 3.
    """
    shapes = {"x": tuple(x_shape), "y": tuple(y_shape)}
    generators = {"forward": as_net(forward), "backward": as_net(backward)}
    critics = {"x": as_net(critic_x), "y": as_net(critic_y)}

    def init(key: Key) -> tuple[Variables, Variables]:
        data = {name: jnp.zeros((2, *shape)) for name, shape in shapes.items()}
        keys = iter(jax.random.split(key, 4))
        made, begun = {}, {}
        for net, (source, target) in {"forward": "xy", "backward": "yx"}.items():
            begun[net], made[target] = _begin(
                net, generators[net], next(keys), data[source], shapes[target]
            )
        judges = {}
        for name, net in critics.items():
            judges[name], _ = _begin(f"critic_{name}", net, next(keys), data[name], None)
        of_critics = join_variables(**judges)
        if pool is not None:
            of_critics["pool"] = {name: pool.init(made[name]) for name in shapes}
        return join_variables(**begun), of_critics

    return CycleGan(
        init,
        _of_player("forward", generators["forward"], "x", shapes["x"]),
        _of_player("backward", generators["backward"], "y", shapes["y"]),
        _of_player("x", critics["x"], "x", shapes["x"]),
        _of_player("y", critics["y"], "y", shapes["y"]),
        shapes["x"],
        shapes["y"],
        pool,
    )


def _of_player(name: str, net: Net, domain: str, shape: tuple[int, ...]) -> NetApply:
    """Returns the pass of one net as one of its player's, of images of a domain."""

    def apply(
        variables: Variables, inputs: Any, /, *, key: Key | None = None, train: bool = False
    ) -> tuple[Any, Variables]:
        batch_of(domain, inputs, shape)
        own = variables_of(variables, name)
        own.pop("pool", None)  # no net's collection
        outputs, changed = net.apply(own, inputs, key=key, train=train)
        return outputs, {
            collection: {**variables[collection], name: tree}
            for collection, tree in changed.items()
        }

    return apply


def _begin(
    name: str, net: Net, key: Key, inputs: Any, shape: tuple[int, ...] | None
) -> tuple[Variables, Any]:
    """Returns the net's variables and one of its outputs, abstractly, of the shape expected."""
    variables = net.init(jax.random.clone(key), inputs)
    outputs = jax.eval_shape(lambda: net.apply(variables, inputs, key=key, train=True)[0])
    if shape is None:
        if outputs.shape[:1] != (2,):
            raise ValueError(
                f"{name}: got an output of shape {outputs.shape} for 2 datapoints, expected "
                "(2,) or (2, ...), one number for each patch"
            )
    elif outputs.shape != (2, *shape):
        raise ValueError(
            f"{name}: got an output of shape {outputs.shape} for 2 datapoints, expected "
            f"{(2, *shape)}"
        )
    return variables, jax.ShapeDtypeStruct(outputs.shape[1:], outputs.dtype)
