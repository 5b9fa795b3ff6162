"""The bidirectional GAN: a generator, an encoder, and a critic of pairs of sample and latent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.array_checks import batch_of
from jaxgen.checks import at_least
from jaxgen.models.density import Density
from jaxgen.models.gan import GanBatch
from jaxgen.models.players import join_variables, variables_of
from jaxgen.nets import AnyNet, Net, NetApply, as_net
from jaxgen.types import Key, Variables


class BiGan(NamedTuple):
    """x = G(z), z ~ prior, E from x to z, and the critic's raw output of a pair (x, z).

    Generator and encoder are one player: its variables are those of the nets G and E, by collection
    and then by name (`variables_of`).

    Attributes:
      init: `key -> (G's and E's variables, critic's variables)`.
      sample_latent: `(key, count) -> z`, [count, latent].
      generate: `(the player's variables, z, *, key=None, train=False) -> (x, changed)`.
      encode: `(the player's variables, x, *, key=None, train=False) -> (z, changed)`.
      criticize: `(critic's variables, (x, z), *, key=None, train=False) -> (one number per pair,
        changed)`.
      x_shape: shape of one sample.
    Example:
      >>> player = MLPGenerator((), (2,))
      >>> critic = concatenated(MLPCritic(()))
      >>> model = bigan(player, player, critic, prior=standard_normal(2), x_shape=(2,))
      >>> generator, of_critic = jax.eval_shape(model.init, jax.random.key(0))  # shapes alone
      >>> sorted(generator["params"])  # one player of two nets
      ['E', 'G']
    """

    init: Callable[[Key], tuple[Variables, Variables]]
    sample_latent: Callable[[Key, int], Float[Array, "count latent"]]
    generate: NetApply
    encode: NetApply
    criticize: NetApply
    x_shape: tuple[int, ...]

    def draw(self, key: Key, x: Any) -> GanBatch:
        """Returns the reals beside as many latents."""
        batch_of("x", x, self.x_shape)
        return GanBatch(x, self.sample_latent(key, len(x)))

    def sides(
        self, generator: Variables, key: Key, batch: GanBatch, *, train: bool
    ) -> tuple[tuple[Array, Array], tuple[Array, Array], Variables]:
        """Returns ((x, E(x)); (G(z), z)) and what both nets changed."""
        key_encoder, key_generator = jax.random.split(key)
        z, by_encoder = self.encode(generator, batch.x, key=key_encoder, train=train)
        x, by_generator = self.generate(generator, batch.z, key=key_generator, train=train)
        changed = {name: by_generator.get(name, {}) | tree for name, tree in by_encoder.items()}
        return (batch.x, z), (x, batch.z), by_generator | changed


def bigan(
    generator: AnyNet,
    encoder: AnyNet,
    critic: AnyNet,
    *,
    prior: Density,
    x_shape: tuple[int, ...],
) -> BiGan:
    """Returns the model of three nets that map batches, each of any kind that `as_net` accepts.

    At the best critic the players' game is the Jensen-Shannon divergence of the two joint
    distributions; where it is zero, E inverts G. Take `swapped` of the loss: with any loss that the
    generator has on fakes alone the encoder never moves.

    Args:
      generator: z, [n, latent], to samples, [n, *x_shape].
      encoder: samples to latents: BiGAN's function, or `gaussian_net` of a net, ALI's q(z|x), which
        is drawn by the key and is its mean without one.
      critic: pairs (x, z) to one raw number each, [n]; `concatenated` of a net sees each pair as
        one vector.
      prior: of z, one vector, with nothing to learn: `standard_normal(50)`, `uniform(50)`.
      x_shape: shape of one sample.
    Raises:
      ValueError: the prior has params, or is not over one vector; at init, if a net's output has
        another shape; in use, if samples or latents are not of floating point or of another shape.
    Example:
      >>> model = bigan(
      ...     MLPGenerator((8,), (2,)),
      ...     MLPGenerator((8,), (3,)),
      ...     concatenated(MLPCritic((8,))),
      ...     prior=standard_normal(3),
      ...     x_shape=(2,),
      ... )
      >>> losses = game_losses(model, swapped(non_saturating()))
    Source: Donahue et al. (2017), "Adversarial feature learning"; Dumoulin et al. (2017),
      "Adversarially learned inference".
    """
    x_shape = tuple(x_shape)
    if jax.tree.leaves(jax.eval_shape(lambda: prior.init(jax.random.key(0), ()))):
        raise ValueError("prior: got one with params, expected one with nothing to learn")
    latents = prior.distribution({}, ())
    if len(latents.event_shape) != 1:
        raise ValueError(f"prior: got one over shape {latents.event_shape}, expected one vector")
    nets = {"G": as_net(generator), "E": as_net(encoder)}
    critic_net = as_net(critic)

    def init(key: Key) -> tuple[Variables, Variables]:
        key_generator, key_encoder, key_critic = jax.random.split(key, 3)
        x, z = jnp.zeros((2, *x_shape)), jnp.zeros((2, *latents.event_shape))
        return join_variables(
            G=_started("generator", nets["G"], key_generator, z, x.shape),
            E=_started("encoder", nets["E"], key_encoder, x, z.shape),
        ), _started("critic", critic_net, key_critic, (x, z), (2,))

    def sample_latent(key: Key, count: int) -> Array:
        return latents.sample(seed=key, sample_shape=at_least("count", count, 1))

    def criticize(
        variables: Variables, pair: Any, /, *, key: Key | None = None, train: bool = False
    ) -> tuple[Array, Variables]:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise ValueError(f"pair: got {type(pair).__name__}, expected a pair (x, z)")
        batch_of("x", pair[0], x_shape)
        batch_of("z", pair[1], latents.event_shape)
        return critic_net.apply(variables, pair, key=key, train=train)

    return BiGan(
        init,
        sample_latent,
        _of_player("z", latents.event_shape, nets, "G"),
        _of_player("x", x_shape, nets, "E"),
        criticize,
        x_shape,
    )


def _started(name: str, net: Net, key: Key, inputs: Any, shape: tuple[int, ...]) -> Variables:
    """Returns the net's variables; refuses it if two samples give it an output of another shape."""
    variables = net.init(jax.random.clone(key), inputs)
    outputs = jax.eval_shape(lambda: net.apply(variables, inputs, key=key, train=True)[0])
    if outputs.shape != shape:
        raise ValueError(
            f"{name}: got an output of shape {outputs.shape} for 2 samples, expected {shape}"
        )
    return {"params": {}, **variables}


def _of_player(argument: str, shape: tuple[int, ...], nets: dict[str, Net], name: str) -> NetApply:
    """Returns the pass of one net as one of its player's, of datapoints of a shape."""

    def apply(
        variables: Variables, inputs: Any, /, *, key: Key | None = None, train: bool = False
    ) -> tuple[Array, Variables]:
        batch_of(argument, inputs, shape)
        own = variables_of(variables, name)
        outputs, changed = nets[name].apply(own, inputs, key=key, train=train)
        return outputs, join_variables(**{name: changed})

    return apply
