"""Residual players: a generator of batch-normalized blocks, a critic of spectral norm one."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from jaxgen.array_checks import floats


class ResidualGenerator(nn.Module):
    """A dense layer to a small feature map, then a residual block per doubling.

    A block adds to the doubled image (nearest neighbors) what two 3x3 convolutions make of it.
    The images are in [0, 1], by a sigmoid. Made for an accelerator: on a CPU a step takes many
    times a DCGAN's.

    Attributes:
      output_shape: (height, width, channels) of an image.
      channels: of every feature map.
      doublings: blocks.
    Raises:
      ValueError: height or width cannot be halved that often.
    Example:
      >>> net, z = ResidualGenerator((32, 32, 3), doublings=3), jnp.zeros((5, 128))
      >>> variables = jax.eval_shape(lambda key: net.init(key, z, train=True), jax.random.key(0))
      >>> jax.eval_shape(lambda v: net.apply(v, z, train=False), variables).shape
      (5, 32, 32, 3)
    Source: Miyato et al. (2018), "Spectral normalization for generative adversarial networks",
      appendix B.4, table 4; Gulrajani et al. (2017b), "Improved training of Wasserstein GANs",
      appendix F.
    """

    output_shape: tuple[int, int, int]
    channels: int = 128
    doublings: int = 2

    @nn.compact
    def __call__(
        self, z: Num[Array, "batch latent"], *, train: bool
    ) -> Float[Array, "batch height width channels"]:
        """Maps latents to images; `train` says whose statistics: the batch's or the running."""
        floats("z", z)
        height, width, image_channels = self.output_shape
        times = 2**self.doublings
        if height % times or width % times:
            raise ValueError(
                f"output_shape: got {height}x{width}, expected height and width in multiples of "
                f"{times}, for {self.doublings} doublings"
            )
        small = (height // times, width // times, self.channels)
        x = nn.Dense(small[0] * small[1] * small[2])(z).reshape(-1, *small)
        for _ in range(self.doublings):
            shortcut = nn.Conv(self.channels, (1, 1))(_doubled(x))
            x = _doubled(self._activated(x, train))
            x = nn.Conv(self.channels, (3, 3), use_bias=False)(x)
            x = nn.Conv(self.channels, (3, 3))(self._activated(x, train))
            x += shortcut
        return nn.sigmoid(nn.Conv(image_channels, (3, 3))(self._activated(x, train)))

    def _activated(self, x: Array, train: bool) -> Array:
        return nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.9)(x))


class ResidualCritic(nn.Module):
    """A residual block per halving and two more, a sum over all places, and one raw output.

    Every kernel is divided by its largest singular value. Images in [0, 1] are taken to [-1, 1]
    first.

    Attributes:
      channels: of every feature map.
      halvings: blocks that halve the image, by means over 2x2 places.
    Raises:
      ValueError: x is not of floating point.
    Example:
      >>> net, x = ResidualCritic(channels=128), jnp.zeros((5, 32, 32, 3))
      >>> variables = jax.eval_shape(lambda key: net.init(key, x, train=True), jax.random.key(0))
      >>> jax.eval_shape(lambda v: net.apply(v, x, train=False), variables).shape
      (5,)
    Source: Miyato et al. (2018), "Spectral normalization for generative adversarial networks",
      section 3.1 and appendix B.4, table 4.
    """

    channels: int = 128
    halvings: int = 2

    @nn.compact
    def __call__(
        self, x: Num[Array, "batch height width channels"], *, train: bool
    ) -> Float[Array, "batch"]:
        """Maps images to raw outputs, high for what looks real."""
        floats("x", x)

        def layer(net: Any, x: Array) -> Array:
            return nn.SpectralNorm(net)(x, update_stats=train)

        x = 2 * x - 1
        for block in range(self.halvings + 2):
            halve = _halved if block < self.halvings else lambda x: x
            # An activation would cut the image itself in half.
            h = nn.relu(x) if block else x
            h = nn.relu(layer(nn.Conv(self.channels, (3, 3)), h))
            h = halve(layer(nn.Conv(self.channels, (3, 3)), h))
            # Halved first: a 1x1 convolution and a mean commute, and a quarter of the work is left.
            shortcut = halve(x)
            if block < self.halvings:
                shortcut = layer(nn.Conv(self.channels, (1, 1)), shortcut)
            x = h + shortcut
        x = jnp.sum(nn.relu(x), axis=(1, 2))
        return layer(nn.Dense(1), x)[:, 0]


def _doubled(x: Array) -> Array:
    return x.repeat(2, axis=1).repeat(2, axis=2)


def _halved(x: Array) -> Array:
    return nn.avg_pool(x, (2, 2), (2, 2))
