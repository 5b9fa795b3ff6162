"""Images with discrete pixels, coded by a latent-variable model, sent and read back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, UInt32

from jaxgen.checks import at_least
from jaxgen.metrics.bits_back import (
    LatentCode,
    bits_back_decode,
    bits_back_encode,
    normal_bucket_probs,
    normal_buckets,
)


def image_code(
    encode: Callable[[Array], Any],
    decode: Callable[[Array], Any],
    *,
    x_shape: tuple[int, ...],
    levels: int,
    latent_size: int,
    buckets: int = 4096,
) -> LatentCode:
    """Returns the code of images whose pixels are levels 0, 1, ..., as x in [0, 1] spaced evenly.

    Each latent is cut into buckets of equal mass under N(0, 1), the prior.

    Args:
      encode: x to q(z|x), a vector of independent normals.
      decode: z to p(x|z), `Independent` over the pixels.
      x_shape: of one image.
      levels: values that a pixel takes: 2 for bits, 256 for bytes.
      latent_size: dimensions of z.
      buckets: of each latent.
    Raises:
      ValueError: a count is too small.
    Example:
      >>> code = image_code(
      ...     lambda x: distrax.Independent(distrax.Normal(jnp.zeros(2), jnp.ones(2)), 1),
      ...     lambda z: distrax.Independent(distrax.Bernoulli(jnp.zeros((4, 4, 1))), 3),
      ...     x_shape=(4, 4, 1),
      ...     levels=2,
      ...     latent_size=2,
      ...     buckets=16,
      ... )
      >>> code.likelihood(np.zeros(2, int)).shape  # pixels, values
      (16, 2)
    Source: Townsend et al. (2019), "Practical lossless compression with latent variables using bits
      back coding", section 2.5.
    """
    levels, buckets = at_least("levels", levels, 2), at_least("buckets", buckets, 2)
    latent_size = at_least("latent_size", latent_size, 1)
    values = jnp.arange(levels) / (levels - 1)
    points = jax.jit(normal_buckets, static_argnums=0)(buckets)

    @jax.jit
    def posterior(symbols: Int[Array, "dims"]) -> Array:
        q = encode(values[symbols].reshape(x_shape))
        return normal_bucket_probs(q.mean(), q.stddev(), buckets)

    @jax.jit
    def likelihood(states: Int[Array, "latents"]) -> Array:
        pixels = decode(points[states]).distribution
        table = jax.vmap(lambda value: pixels.log_prob(jnp.full(x_shape, value)), out_axes=-1)(
            values
        )
        return jnp.exp(table).reshape(-1, levels)

    return LatentCode(posterior, likelihood, latent_size, buckets)


class Sent(NamedTuple):
    """A message that was written and read back without loss.

    Attributes:
      message_bytes: of the message, the initial words included.
      initial_bits: that the first image's latents are read off.
      net_bits: bits per image, net of the initial ones.
      encode_seconds: to write it.
      decode_seconds: to read it.
    Example:
      >>> Sent(
      ...     message_bytes=96,
      ...     initial_bits=128,
      ...     net_bits=6.4,
      ...     encode_seconds=0.1,
      ...     decode_seconds=0.1,
      ... ).net_bits
      6.4
    """

    message_bytes: int
    initial_bits: int
    net_bits: float
    encode_seconds: float
    decode_seconds: float


def send_losslessly(
    code: LatentCode,
    symbols: Int[np.ndarray, "images dims"],
    initial: UInt32[np.ndarray, "words"],
) -> Sent:
    """Returns the length of a bits-back message of the images, after reading it back.

    Args:
      code: the tables that both sides have.
      symbols: the level of every pixel of every image.
      initial: random words that the first image's latents are read off.
    Raises:
      RuntimeError: what is read is not what was written: the tables differ from call to call.
    Example:
      >>> half = lambda dims: np.full((dims, 2), 0.5)
      >>> code = LatentCode(lambda x: half(1), lambda z: half(64), num_latents=1, num_buckets=2)
      >>> initial = np.random.default_rng(0).integers(2**32, size=4, dtype=np.uint32)
      >>> sent = send_losslessly(code, np.zeros((10, 64), int), initial)
      >>> sent.net_bits / 64  # a fair coin for each pixel
      1.0
    Source: Townsend et al. (2019), "Practical lossless compression with latent variables using bits
      back coding".
    """
    begun = time.monotonic()
    message = bits_back_encode(code, symbols, initial)
    encoded = time.monotonic()
    try:
        decoded, returned = bits_back_decode(code, message, symbols.shape)
    except ValueError as error:
        raise RuntimeError("the message cannot be read back") from error
    if not (np.array_equal(decoded, symbols) and np.array_equal(returned, initial)):
        raise RuntimeError("the message read back is not the one written")
    return Sent(
        message_bytes=4 * len(message),
        initial_bits=32 * len(initial),
        net_bits=32 * (len(message) - len(initial)) / len(symbols),
        encode_seconds=encoded - begun,
        decode_seconds=time.monotonic() - encoded,
    )
