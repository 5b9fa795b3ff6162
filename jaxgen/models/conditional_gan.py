"""The class-conditional generative adversarial network: both players are told the label."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgen.array_checks import batch_of, class_labels
from jaxgen.checks import at_least
from jaxgen.models.started import start_players
from jaxgen.nets import AnyNet, NetApply, as_net, pack
from jaxgen.types import Key, Variables

Labeled: TypeAlias = tuple[Any, Any]
"""Datapoints, or latents, and the class of each: arrays [n, ...] and integers [n]."""


class ConditionalGanBatch(NamedTuple):
    """Reals, their labels, and a latent for each.

    Example:
      >>> batch = ConditionalGanBatch(x=jnp.zeros((5, 2)), labels=jnp.arange(5), z=jnp.ones((5, 3)))
      >>> reals, labels, latents = batch
    """

    x: Array
    labels: Array
    z: Array


class ConditionalGan(NamedTuple):
    """x = G(z, y), z ~ N(0, I), and the critic's raw output of (x, y), y the label.

    The fakes of a batch have the labels of its reals, so that both sides have the classes as often:
    what the critic compares is p(x | y). Labels are integers from 0, [n], and none is an input with
    a slope: penalties on the critic's leave them as they are.

    Attributes:
      init: `key -> (generator's variables, critic's variables)`.
      sample_latent: `(key, count) -> z`, [count, latent].
      generate: `(generator's variables, (z, labels), *, key=None, train=False) -> (x, changed
        collections)`.
      criticize: `(critic's variables, (x, labels), *, key=None, train=False) -> (one number per
        pack, changed)`.
      num_classes: of the labels.
      x_shape: shape of one sample.
      packing: samples that the critic judges together.
    Example:
      >>> critic = labeled(MLPCritic((8,)), 10)
      >>> model = conditional_gan(
      ...     labeled(MLPGenerator((8,), (2,)), 10),
      ...     critic,
      ...     num_classes=10,
      ...     latent_size=3,
      ...     x_shape=(2,),
      ... )
      >>> generator, of_critic = model.init(jax.random.key(0))
      >>> sevens, _ = model.generate(generator, (jnp.zeros((5, 3)), jnp.full(5, 7)))
      >>> sevens.shape
      (5, 2)
    """

    init: Callable[[Key], tuple[Variables, Variables]]
    sample_latent: Callable[[Key, int], Float[Array, "count latent"]]
    generate: NetApply
    criticize: NetApply
    num_classes: int
    x_shape: tuple[int, ...]
    packing: int

    def draw(self, key: Key, x: Any) -> ConditionalGanBatch:
        """Returns reals and labels, which are given as a pair, beside as many latents."""
        reals, labels = _labeled("x", x, self.x_shape, self.num_classes)
        return ConditionalGanBatch(reals, labels, self.sample_latent(key, len(reals)))

    def sides(
        self, generator: Variables, key: Key, batch: ConditionalGanBatch, *, train: bool
    ) -> tuple[Labeled, Labeled, Variables]:
        """Returns ((x, y); (G(z, y), y)) and what the generator changed."""
        inputs = (batch.z, batch.labels)
        fakes, changed = self.generate(generator, inputs, key=key, train=train)
        return (batch.x, batch.labels), (fakes, batch.labels), changed


def conditional_gan(
    generator: AnyNet,
    critic: AnyNet,
    *,
    num_classes: int,
    latent_size: int,
    x_shape: tuple[int, ...],
    packing: int = 1,
) -> ConditionalGan:
    """Returns the model of two nets that map batches with their labels.

    Args:
      generator: (z, labels), [n, latent_size] and [n], to samples, [n, *x_shape]; `labeled` makes
        one of a net of z alone.
      critic: (samples, labels) to one raw number each: `labeled` or `ProjectionCritic` of a net of
        samples. It gets packs of samples along the last axis, and of labels: [n, packing].
      num_classes: labels are below it.
      latent_size: length of z.
      x_shape: shape of one sample.
      packing: samples that the critic judges together; every batch must be a multiple of it.
    Raises:
      ValueError: a count is below one; at init, if a net's output has another shape or it has fewer
        classes; in use, if samples or latents are not of floating point or of another shape, or
        labels are not one integer for each, or, where they are numbers and not traced, outside the
        classes.
    Example:
      >>> model = conditional_gan(
      ...     labeled(MLPGenerator((8,), (2,)), 10),
      ...     ProjectionCritic(MLPCritic((8,)), 10),
      ...     num_classes=10,
      ...     latent_size=3,
      ...     x_shape=(2,),
      ... )
      >>> losses = game_losses(model, non_saturating())  # of batches (samples, labels)
    Source: Mirza & Osindero (2014), "Conditional generative adversarial nets", equation 2.
    """
    num_classes = at_least("num_classes", num_classes, 1)
    latent_size = at_least("latent_size", latent_size, 1)
    packing, x_shape = at_least("packing", packing, 1), tuple(x_shape)
    generator_net, critic_net = as_net(generator), as_net(critic)

    def packs(data: Labeled) -> Labeled:
        x, labels = data
        together = pack(x, packing)
        return together, labels if packing == 1 else labels.reshape(-1, packing)

    def init(key: Key) -> tuple[Variables, Variables]:
        # Numbers under jit, too, and the last class among them: nets of fewer refuse it.
        labels = -np.arange(1, 1 + 2 * packing, dtype=np.int32) % num_classes
        inputs = jnp.zeros((len(labels), latent_size)), labels
        shape = (len(labels), *x_shape)
        return start_players(
            key, generator_net, critic_net, inputs, lambda x: packs((x, labels)), shape
        )

    def sample_latent(key: Key, count: int) -> Array:
        return jax.random.normal(key, (at_least("count", count, 1), latent_size))

    def generate(
        variables: Variables, inputs: Any, /, *, key: Key | None = None, train: bool = False
    ) -> tuple[Array, Variables]:
        pair = _labeled("z", inputs, (latent_size,), num_classes)
        return generator_net.apply(variables, pair, key=key, train=train)

    def criticize(
        variables: Variables, data: Any, /, *, key: Key | None = None, train: bool = False
    ) -> tuple[Array, Variables]:
        pair = _labeled("x", data, x_shape, num_classes)
        return critic_net.apply(variables, packs(pair), key=key, train=train)

    return ConditionalGan(init, sample_latent, generate, criticize, num_classes, x_shape, packing)


def _labeled(name: str, data: Any, shape: tuple[int, ...], num_classes: int) -> Labeled:
    """Returns the pair of datapoints and their labels, checked."""
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise ValueError(f"{name}: got {type(data).__name__}, expected a pair ({name}, labels)")
    of, labels = data
    batch_of(name, of, shape)
    class_labels(labels, num_classes, len(of))
    return of, labels
