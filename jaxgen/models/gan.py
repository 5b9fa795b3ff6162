"""The generative adversarial network: a generator of samples and a critic of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.array_checks import batch_of
from jaxgen.checks import at_least
from jaxgen.models.started import start_players
from jaxgen.nets import AnyNet, NetApply, as_net, pack
from jaxgen.types import Key, Variables


class GanBatch(NamedTuple):
    """Reals and latents, as many of each, on a leading axis.

    Example:
      >>> reals, latents = GanBatch(x=jnp.zeros((5, 2)), z=jnp.ones((5, 3)))
    """

    x: Array
    z: Array


class Gan(NamedTuple):
    """x = G(z), z ~ N(0, I), and the critic's raw output of x, as pure functions over batches.

    Attributes:
      init: `key -> (generator's variables, critic's variables)`.
      sample_latent: `(key, count) -> z`, [count, latent].
      generate: `(generator's variables, z, *, key=None, train=False) -> (x, changed collections)`.
      criticize: `(critic's variables, x, *, key=None, train=False) -> (one number per pack,
        changed)`.
      x_shape: shape of one sample.
      packing: samples that the critic judges together.
    Example:
      >>> model = gan(MLPGenerator((8,), (2,)), MLPCritic((8,)), latent_size=3, x_shape=(2,))
      >>> generator, critic = model.init(jax.random.key(0))
      >>> x, _ = model.generate(generator, model.sample_latent(jax.random.key(1), 5))
      >>> x.shape
      (5, 2)
    """

    init: Callable[[Key], tuple[Variables, Variables]]
    sample_latent: Callable[[Key, int], Float[Array, "count latent"]]
    generate: NetApply
    criticize: NetApply
    x_shape: tuple[int, ...]
    packing: int

    def draw(self, key: Key, x: Any) -> GanBatch:
        """Returns the reals beside as many latents, so that both players see the same fakes."""
        batch_of("x", x, self.x_shape)
        return GanBatch(x, self.sample_latent(key, len(x)))

    def sides(
        self, generator: Variables, key: Key, batch: GanBatch, *, train: bool
    ) -> tuple[Array, Array, Variables]:
        """Returns what the critic compares, reals and fakes, and what the generator changed."""
        fakes, changed = self.generate(generator, batch.z, key=key, train=train)
        return batch.x, fakes, changed


def gan(
    generator: AnyNet,
    critic: AnyNet,
    *,
    latent_size: int,
    x_shape: tuple[int, ...],
    packing: int = 1,
) -> Gan:
    """Returns the model of two nets that map batches, each of any kind that `as_net` accepts.

    Args:
      generator: z, [n, latent_size], to samples, [n, *x_shape].
      critic: samples, or packs of them along the last axis, to one raw number each: [n].
      latent_size: length of z.
      x_shape: shape of one sample.
      packing: samples that the critic judges together; every batch must be a multiple of it.
    Raises:
      ValueError: latent_size or packing is below one; at init, if a net's output has another shape
        (a critic's [n, 1] is refused, not broadcast); in use, if samples or latents are not of
        floating point or of another shape.
    Example:
      >>> model = gan(MLPGenerator((8,), (2,)), MLPCritic((8,)), latent_size=3, x_shape=(2,))
      >>> losses = game_losses(model, non_saturating())  # the generator stands first in every pair
      >>> generator, critic = model.init(jax.random.key(0))
    Source: Goodfellow et al. (2014), "Generative adversarial nets", section 3; Lin et al. (2018),
      "PacGAN", for packing.
    """
    latent_size = at_least("latent_size", latent_size, 1)
    packing, x_shape = at_least("packing", packing, 1), tuple(x_shape)
    generator_net, critic_net = as_net(generator), as_net(critic)

    def init(key: Key) -> tuple[Variables, Variables]:
        z = jnp.zeros((2 * packing, latent_size))
        shape = (len(z), *x_shape)
        return start_players(key, generator_net, critic_net, z, lambda x: pack(x, packing), shape)

    def sample_latent(key: Key, count: int) -> Array:
        return jax.random.normal(key, (at_least("count", count, 1), latent_size))

    def generate(
        variables: Variables, z: Any, /, *, key: Key | None = None, train: bool = False
    ) -> tuple[Array, Variables]:
        batch_of("z", z, (latent_size,))
        return generator_net.apply(variables, z, key=key, train=train)

    def criticize(
        variables: Variables, x: Any, /, *, key: Key | None = None, train: bool = False
    ) -> tuple[Array, Variables]:
        batch_of("x", x, x_shape)
        return critic_net.apply(variables, pack(x, packing), key=key, train=train)

    return Gan(init, sample_latent, generate, criticize, x_shape, packing)
