"""Nats per datapoint to bits per dimension."""

from __future__ import annotations

import math

from jaxtyping import Array, Float

from jaxgen.checks import at_least, positive


def bits_per_dim(
    nll: Float[Array, "..."] | float, num_dims: int, *, bin_width: float = 1.0
) -> Float[Array, "..."] | float:
    """Returns the code length of one dimension, in bits: (nll / num_dims - log bin_width) / log 2.

    Args:
      nll: -log p(x) of one datapoint, in nats.
      num_dims: pixels times channels.
      bin_width: 1 for a probability mass. If p is a density of uniformly dequantized data, the
        width of a gray level in the units of that density: 1/256 for 8-bit pixels on [0, 1]; the
        result then bounds the discrete code length from above.
    Raises:
      ValueError: num_dims is below one, or bin_width is not positive.
    Example:
      >>> nll = -784 * jnp.log(0.5)  # a fair coin for each pixel, in nats
      >>> float(bits_per_dim(nll, 784))
      1.0
      >>> bits_per_dim(
      ...     0.0, 784, bin_width=1 / 256
      ... )  # a uniform density on [0, 1]: all of its 8 bits
      8.0
    Source: Theis et al. (2016), section 3.1.
    """
    num_dims = at_least("num_dims", num_dims, 1)
    bin_width = positive("bin_width", bin_width)
    return (nll / num_dims - math.log(bin_width)) / math.log(2.0)
