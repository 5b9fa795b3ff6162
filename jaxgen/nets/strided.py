"""Convolutions of 4x4 and stride 2, and their transposes: XLA's own, but fast on a CPU, too.

XLA is slow at the gradients of strided convolutions on a CPU. There the same numbers come from one
matrix product: of all 4x4 patches with the kernel, or, transposed, of every pixel with the kernel,
the resulting 4x4 patches overlapping and added up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jax import lax
from jaxtyping import Array, Float

DIMENSIONS = ("NHWC", "HWIO", "NHWC")


class StridedConv(nn.Module):
    """`nn.Conv(features, (4, 4), strides=(2, 2))`, in params and numbers; halves an image.

    Attributes:
      features: channels of what comes out.
      use_bias: whether to add one number per channel, zero at first.
      kernel_init: of the kernel, [4, 4, channels, features].
      dtype: to compute in; by default what input and params have in common. Params are float32.
    Example:
      >>> net, x = StridedConv(4), jnp.zeros((2, 8, 8, 1))
      >>> params = net.init(jax.random.key(0), x)
      >>> net.apply(params, x).shape
      (2, 4, 4, 4)
    """

    features: int
    use_bias: bool = True
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "*n height width channels"]) -> Float[Array, "..."]:
        """Maps images, or one of them, to feature maps of half the size, rounded up."""
        return _layer(self, _conv, x)


class StridedConvTranspose(nn.Module):
    """`nn.ConvTranspose(features, (4, 4), strides=(2, 2))`, in params and numbers; doubles it.

    Attributes:
      features: channels of what comes out.
      use_bias: whether to add one number per channel, zero at first.
      kernel_init: of the kernel, [4, 4, channels, features].
      dtype: to compute in; by default what input and params have in common. Params are float32.
    Example:
      >>> net, x = StridedConvTranspose(4), jnp.zeros((2, 7, 7, 3))
      >>> params = net.init(jax.random.key(0), x)
      >>> net.apply(params, x).shape
      (2, 14, 14, 4)
    """

    features: int
    use_bias: bool = True
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "*n height width channels"]) -> Float[Array, "..."]:
        """Maps images, or one of them, to feature maps of twice the size."""
        return _layer(self, _conv_transpose, x)


def _layer(
    layer: StridedConv | StridedConvTranspose, linear: Callable[[Array, Array], Array], x: Array
) -> Array:
    """Returns the linear map of every image and the bias, with the params of `layer`."""
    kernel = layer.param("kernel", layer.kernel_init, (4, 4, x.shape[-1], layer.features))
    bias = None
    if layer.use_bias:
        bias = layer.param("bias", nn.initializers.zeros, (layer.features,))
    x, kernel, bias = promote_dtype(x, kernel, bias, dtype=layer.dtype)
    y = linear(x.reshape(math.prod(x.shape[:-3]), *x.shape[-3:]), kernel)
    y = y.reshape(*x.shape[:-3], *y.shape[1:])
    return y if bias is None else y + bias


def _conv(x: Array, kernel: Array) -> Array:
    def convolution(x: Array, kernel: Array) -> Array:
        return lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=DIMENSIONS)

    return jnp.asarray(lax.platform_dependent(x, kernel, cpu=_from_patches, default=convolution))


def _conv_transpose(x: Array, kernel: Array) -> Array:
    def convolution(x: Array, kernel: Array) -> Array:
        return lax.conv_transpose(x, kernel, (2, 2), "SAME", dimension_numbers=DIMENSIONS)

    return jnp.asarray(lax.platform_dependent(x, kernel, cpu=_to_patches, default=convolution))


def _from_patches(x: Array, kernel: Array) -> Array:
    n, height, width, channels = x.shape
    x = jnp.pad(x, ((0, 0), (1, 1 + height % 2), (1, 1 + width % 2), (0, 0)))
    h, w = (height + 1) // 2, (width + 1) // 2
    # Pixel (2i + s, 2j + t) is [i, s, j, t]: the 4x4 patch of (i, j) is eight slices that move no
    # row within a pair and no pixel out of one, in the order of the kernel.
    pairs = x.reshape(n, h + 1, 2, w + 1, 2 * channels)
    patches = jnp.concatenate(
        [pairs[:, a : a + h, s, b : b + w] for a in range(2) for s in range(2) for b in range(2)],
        axis=-1,
    )
    y = _product(patches.reshape(n * h * w, 16 * channels), kernel.reshape(16 * channels, -1))
    return y.reshape(n, h, w, kernel.shape[-1])


def _to_patches(x: Array, kernel: Array) -> Array:
    n, h, w, channels = x.shape
    features = kernel.shape[-1]
    # Turned around, since `nn.ConvTranspose` dilates x and lets the kernel slide over it.
    columns = kernel[::-1, ::-1].transpose(2, 0, 1, 3).reshape(channels, -1)
    y = _product(x.reshape(n * h * w, channels), columns).reshape(n, h, w, 16 * features)
    # The transpose of `_from_patches`, slice by slice. (The gradient of a split is one
    # concatenation; that of eight slices would be eight sums over all patches.)
    parts = iter(jnp.split(y, 8, axis=-1))
    rows = [jnp.zeros((), y.dtype)] * 2
    for a in range(2):
        for s in range(2):
            for b in range(2):
                rows[s] += jnp.pad(next(parts), ((0, 0), (a, 1 - a), (b, 1 - b), (0, 0)))
    y = jnp.stack(rows, axis=2).reshape(n, 2 * h + 2, 2 * w + 2, features)
    return y[:, 1:-1, 1:-1]


@jax.custom_jvp
def _product(a: Float[Array, "n k"], b: Float[Array, "k m"]) -> Float[Array, "n m"]:
    """Returns a @ b, n being large, with a gradient in b that takes half of XLA's time for it.

    That gradient is aᵀ g. A matrix product on the CPU reads a transposed left side at half the
    speed, so the narrower of the two is transposed in memory first; the barriers keep the compiler
    from undoing it.
    """
    return a @ b


@_product.defjvp
def _product_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple:
    a, b = primals
    da, db = tangents
    barrier = lax.optimization_barrier
    # Written for its transpose, which is all that a gradient runs.
    if a.shape[1] < b.shape[1]:
        of_b = lax.dot_general(barrier(a.T), db, (((0,), (0,)), ((), ())))
    else:
        of_b = barrier(lax.dot_general(barrier(db.T), a, (((1,), (1,)), ((), ())))).T
    return _product(a, b), _product(da, b) + of_b
