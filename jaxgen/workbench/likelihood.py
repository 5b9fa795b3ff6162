"""What recipes of exact likelihoods share: the loss of an image, the judge, and the test."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxgen.array_checks import arrays
from jaxgen.data import ImageSet
from jaxgen.models import Density, conditioned
from jaxgen.types import Info, Key, Params, Scalar
from jaxgen.workbench.blocks import image_by_image, map_in_blocks

LogProb: TypeAlias = Callable[[Params, Key, Array, Any], Scalar]
"""`(params, key, x, context) -> log p(x | context)`, in nats, or an unbiased estimate of it."""


def with_classes(images: ImageSet, conditional: bool = True) -> tuple[np.ndarray, Any]:
    """Returns the images and the context of each: its class as a one-hot vector; () if not wanted.

    Raises:
      ValueError: the set has no labels.
    Example:
      >>> data, contexts = with_classes(images.test)
      >>> contexts.shape
      (100, 10)
    """
    if not conditional:
        return images.images, ()
    if images.labels is None:
        raise ValueError(f"conditional: got {images.name}, which has no labels")
    return images.images, np.eye(images.labels.max() + 1, dtype=np.float32)[images.labels]


def exact_log_prob(density: Density, *, training: bool = False) -> LogProb:
    """Returns `(params, key, x, context) -> log p(x | context)`, in nats.

    Args:
      training: the key is that of the nets' dropout, and of all else that training draws; without,
        it is ignored.
    Example:
      >>> density = uniform_levels((8, 8, 1), 2)  # of nothing that is learned: 64 log 2 nats
      >>> exact_log_prob(density)({}, key, jnp.zeros((8, 8, 1)), ())
      Array(-44.361, dtype=float32)
    """

    def log_prob(params: Params, key: Key, x: Array, context: Any) -> Scalar:
        return conditioned(density, params, context, key if training else None).log_prob(x)

    return log_prob


def negative_log_prob(
    log_prob: LogProb, prepare: Callable[[Key, Array], Array]
) -> Callable[[Params, Key, tuple[Array, Any]], tuple[Scalar, Info]]:
    """Returns `(params, key, (bytes of one image, context)) -> (-log p(x | context), {"nll"})`.

    Args:
      log_prob: in nats, such as `exact_log_prob(density, training=True)`.
      prepare: `(key, bytes) -> x`, such as that of an `ImageSet`.
    Example:
      >>> density = uniform_levels((8, 8, 1), 2)  # of nothing that is learned: 64 log 2 nats
      >>> one = negative_log_prob(exact_log_prob(density, training=True), images.train.prepare)
      >>> nll, info = one({}, key, (images.train.images[0], ()))
      >>> nll
      Array(44.361, dtype=float32)
    """

    def one(params: Params, key: Key, datapoint: tuple[Array, Any]) -> tuple[Scalar, Info]:
        image, context = datapoint
        key_x, key_p = jax.random.split(key)
        nll = -log_prob(params, key_p, prepare(key_x, image), context)
        return nll, {"nll": nll}

    return one


def judge_nll(
    density: Density, prepare: Callable[[Key, Array], Array]
) -> Callable[[Params, Key, Any], Info]:
    """Returns the judge `(params, key, (images, contexts)) -> {"nll"}` for `train`: nats, the mean.

    Example:
      >>> density = uniform_levels((8, 8, 1), 2)  # of nothing that is learned: 64 log 2 nats
      >>> judge = judge_nll(density, images.test.prepare)
      >>> judge({}, key, with_classes(images.test, False))["nll"]
      Array(44.361, dtype=float32)
    """
    each = image_by_image(negative_log_prob(exact_log_prob(density), prepare), batch_size=50)
    return lambda params, key, held_out: {"nll": jnp.mean(each(params, key, held_out)[0])}


def log_probs(
    density: Density, params: Params, key: Key, images: ImageSet, contexts: Any = ()
) -> Float[np.ndarray, "n contexts"]:
    """Returns log p(x | context) of every image in each of the contexts, or in none, in nats.

    Args:
      contexts: with a leading axis; () if there is one alone, the context ().
    Example:
      >>> density = uniform_levels((8, 8, 1), 2)  # of nothing that is learned: 64 log 2 nats
      >>> float(log_probs(density, {}, key, images.test).mean())
      -44.361
    """

    arrays("params", params)

    def of_one(params: Params, key: Key, image: Array) -> Array:
        log_prob = partial(exact_log_prob(density), params, key, images.prepare(key, image))
        return jax.lax.map(log_prob, contexts) if len(contexts) else log_prob(())[None]

    measure = partial(image_by_image(of_one, batch_size=50), params)
    return map_in_blocks(measure, key, images.images, f"NLL, {images.split}")


@partial(jax.jit, static_argnames=("density", "count"))
def fixed_point_draws(
    density: Density, params: Params, key: Key, count: int, contexts: Any = ()
) -> tuple[Float[Array, "count ..."], Int[Array, "count"]]:
    """Returns draws of an autoregressive model, the contexts in turn, and the passes of each.

    Args:
      density: made by `autoregressive`.
      contexts: with a leading axis; () if there is one alone, the context ().
    Example:
      >>> density = autoregressive(MADE(()), LIKELIHOODS["bernoulli"], (2, 2, 1))
      >>> weights = jax.eval_shape(lambda key: density.init(key, ()), key)  # shapes alone
      >>> draws = partial(fixed_point_draws, density, count=4)
      >>> x, passes = jax.eval_shape(draws, weights, key)
      >>> x.shape, passes.shape
      ((4, 2, 2, 1), (4,))
    """

    def draw(key: Key, context: Any) -> tuple[Array, Array]:
        chain: Any = density.distribution(params, context)
        return chain.sample_with_passes(seed=key)

    turns = jax.tree.map(lambda of: of[jnp.arange(count) % len(of)], contexts)
    return jax.vmap(draw)(jax.random.split(key, count), turns)
