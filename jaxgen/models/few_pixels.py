"""Autoregressive models whose net tells of a few pixels alone: cheap to train, and to sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgen.array_checks import of_shape
from jaxgen.checks import at_least
from jaxgen.distributions import stratified_uniform
from jaxgen.models.autoregressive import with_context
from jaxgen.models.likelihoods import Likelihood
from jaxgen.numerics import at_least_float32
from jaxgen.types import Key, Params, Scalar


def subsampled_log_prob(
    net: nn.Module,
    head: Likelihood,
    num_pixels: int,
    weights: Float[np.ndarray, "height width"] | None = None,
) -> Callable[..., Scalar]:
    """Returns `(params, key, x, context=()) -> log p(x | context)`, from random pixels of x.

    1/n sum_j log p(x_i | x before i) / p_i over n pixels i = i_1 ... i_n drawn with probabilities
    p, one from each of n equal shares of them. In the mean over keys it is log p(x), and so are its
    slopes. With p in proportion to how much a pixel varies, most of them fall where there is
    something to learn: on binarized MNIST that saves a third of the training.

    Args:
      net: with a method `pixels`, as `PixelCNN` has; its dropout draws from the key.
      head: with the net the two that `autoregressive` is given, whose params these are.
      num_pixels: n.
      weights: in proportion to p, all positive; equal ones if none are given.
    Raises:
      ValueError: the net has no such method, num_pixels is below one or a weight not positive; in
        use, x is of another size than the weights.
    Example:
      >>> net, head = PixelCNN(1, features=2, layers=0), LIKELIHOODS["bernoulli"]
      >>> log_prob = subsampled_log_prob(net, head, num_pixels=2)
      >>> params = autoregressive(net, head, (2, 2, 1)).init(jax.random.key(0), ())
      >>> loss = -log_prob(params, jax.random.key(1), jnp.zeros((2, 2, 1)))  # unbiased, in nats
    """
    told = _told(net)
    num_pixels = at_least("num_pixels", num_pixels, 1)
    if weights is not None and not np.all((weights > 0) & np.isfinite(weights)):
        raise ValueError(f"weights: got {np.min(weights)} among them, expected positive numbers")

    def log_prob(params: Params, key: Key, x: Array, context: Any = ()) -> Scalar:
        if weights is not None:
            of_shape("weights", weights, x.shape[:2])
        p = np.ones(x.shape[:2]) if weights is None else weights
        p = np.asarray(p, np.float64).reshape(-1) / np.sum(p, dtype=np.float64)
        key_places, key_net = jax.random.split(key)
        shares = jnp.asarray(np.cumsum(p)[:-1], jnp.float32)
        drawn = stratified_uniform(key_places, num_pixels)
        places = jnp.searchsorted(shares, drawn, side="right")
        own = x.reshape(-1, x.shape[-1])[places]
        outputs = told(params, with_context(x, context), places, key_net)
        each = jax.vmap(lambda told, x: head.distribution(told).log_prob(x))(outputs, own)
        return jnp.mean(each / jnp.asarray(p, each.dtype)[places])

    return log_prob


def sample_by_pixels(
    net: nn.Module, head: Likelihood, x_shape: tuple[int, int, int]
) -> Callable[..., Float[Array, "height width channels"]]:
    """Returns `(params, key, context=()) -> x`, drawn one pixel after another.

    Each pixel costs a pixel: an image costs one pass of the net, where the fixed point takes some
    50. But its steps are many and small, so it is for many images at once (`vmap` over keys).

    Args:
      net: with a method `pixels`, as `PixelCNN` has.
      head, x_shape: with the net the three that `autoregressive` is given, whose params these are.
    Raises:
      ValueError: the net has no such method.
    Example:
      >>> net, head = PixelCNN(1, features=2, layers=0), LIKELIHOODS["bernoulli"]
      >>> draw = sample_by_pixels(net, head, (2, 2, 1))
      >>> params = autoregressive(net, head, (2, 2, 1)).init(jax.random.key(0), ())
      >>> draw(params, jax.random.key(1)).shape  # one image; jax.vmap over keys
      (2, 2, 1)
    """
    told = _told(net)
    height, width, channels = x_shape

    def sample(params: Params, key: Key, context: Any = ()) -> Array:
        keys = jax.random.split(key, height * width)

        def draw(place: Array, x: Array) -> Array:
            # The fixed point within the pixel: each pass settles one more of its channels.
            for _ in range(channels):
                (outputs,) = told(params, with_context(x, context), place[None])
                pixel = head.distribution(outputs).sample(seed=jax.random.clone(keys[place]))
                x = x.at[place // width, place % width].set(pixel.astype(x.dtype))
            return x

        return jax.lax.fori_loop(0, height * width, draw, jnp.zeros(x_shape))

    return sample


def _told(net: nn.Module) -> Callable[..., Array]:
    """Returns `(params, inputs, places, key=None) -> what those pixels are told`; a key trains."""
    if not hasattr(net, "pixels"):
        raise ValueError(
            f"net: got a {type(net).__name__}, expected one with a method `pixels`, as PixelCNN has"
        )

    def told(params: Params, inputs: Any, places: Array, key: Key | None = None) -> Array:
        rngs = {} if key is None else {"dropout": key}
        train = key is not None
        outputs = net.apply(params, inputs, places, train=train, rngs=rngs, method="pixels")
        return at_least_float32("net", jnp.asarray(outputs))

    return told
