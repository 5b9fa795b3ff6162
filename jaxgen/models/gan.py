"""The generative adversarial network: a generator of samples and a critic of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.nets import pack
from jaxgen.types import Key, Variables


class Apply(Protocol):
    """A player's forward pass."""

    def __call__(
        self, variables: Variables, inputs: Array, /, *, train: bool
    ) -> tuple[Array, Variables]:
        """Returns the outputs and, in training, the collections that the pass changed."""
        ...


class Gan(NamedTuple):
    """x = G(z), z ~ N(0, I), and the critic's raw output of x, as pure functions over batches.

    Attributes:
      init: `key -> (generator's variables, critic's variables)`.
      sample_latent: `(key, count) -> z`, [count, latent].
      generate: `(generator's variables, z, train=...) -> (x, changed collections)`.
      criticize: `(critic's variables, x, train=...) -> (one number per pack, changed)`.
      packing: samples that the critic judges together.
    """

    init: Callable[[Key], tuple[Variables, Variables]]
    sample_latent: Callable[[Key, int], Float[Array, "count latent"]]
    generate: Apply
    criticize: Apply
    packing: int


def gan(
    generator: nn.Module,
    critic: nn.Module,
    *,
    latent_size: int,
    x_shape: tuple[int, ...],
    packing: int = 1,
) -> Gan:
    """Returns the model of two linen modules that map batches and take `train=...`.

    Args:
      generator: z, [n, latent_size], to samples, [n, *x_shape].
      critic: samples, or packs of them along the last axis, to one raw number each: [n].
      latent_size: length of z.
      x_shape: shape of one sample.
      packing: samples that the critic judges together; every batch must be a multiple of it.
    Raises:
      ValueError: latent_size or packing is below one; at init, if a net's output has another shape
        (a critic's [n, 1] is refused, not broadcast).
    Example:
      model = gan(MLPGenerator((128, 128), (2,)), MLPCritic((128,)), latent_size=256, x_shape=(2,))
      generator_variables, critic_variables = model.init(jax.random.key(0))
      x, _ = model.generate(generator_variables, model.sample_latent(key, 512), train=False)
    Source: Goodfellow et al. (2014), section 3; Lin et al. (2018) for packing.
    """
    latent_size = at_least("latent_size", latent_size, 1)
    packing = at_least("packing", packing, 1)

    def init(key: Key) -> tuple[Variables, Variables]:
        generator_key, critic_key = jax.random.split(key)
        x, generator_variables = generator.init_with_output(
            generator_key, jnp.zeros((2 * packing, latent_size)), train=True
        )
        if x.shape != (2 * packing, *x_shape):
            raise ValueError(
                f"generator: got an output of shape {x.shape} for {2 * packing} latents, expected "
                f"{(2 * packing, *x_shape)}"
            )
        outputs, critic_variables = critic.init_with_output(
            critic_key, pack(x, packing), train=True
        )
        if outputs.shape != (2,):
            raise ValueError(
                f"critic: got an output of shape {outputs.shape} for 2 packs of {packing}, "
                "expected (2,): one number each"
            )
        return dict(generator_variables), dict(critic_variables)

    def sample_latent(key: Key, count: int) -> Array:
        return jax.random.normal(key, (count, latent_size))

    def criticize(variables: Variables, x: Array, /, *, train: bool) -> tuple[Array, Variables]:
        return apply(critic, variables, pack(x, packing), train)

    def generate(variables: Variables, z: Array, /, *, train: bool) -> tuple[Array, Variables]:
        return apply(generator, variables, z, train)

    return Gan(init, sample_latent, generate, criticize, packing)


def apply(
    net: nn.Module, variables: Variables, inputs: Array, train: bool
) -> tuple[Array, Variables]:
    """Returns the net's outputs and what it changed in training, {} outside."""
    collections = [name for name in variables if name != "params"] if train else []
    outputs, changed = net.apply(variables, inputs, train=train, mutable=collections)
    return jnp.asarray(outputs), dict(changed)
