"""Models of the gray levels of images, whatever their family, by one measure: nats of the levels.

A probability of levels is exact. A density of dequantized pixels bounds it from below, once the
width of a level is counted, and a latent-variable model bounds it by annealed importance sampling.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt8

from jaxgen.data import ImageSet, dequantizer
from jaxgen.models import Density, LatentVariableModel, conditioned
from jaxgen.numerics import log_mean_exp
from jaxgen.train import gradient_step, init_state, mean_over_batch
from jaxgen.types import Info, Key, Params, Scalar
from jaxgen.workbench.config import TrainingConfig
from jaxgen.workbench.optimizer import make_optimizer
from jaxgen.workbench.run import Run, config_of
from jaxgen.workbench.training import judge_by, train
from jaxgen.workbench.vae_loss import negative_elbo
from jaxgen.workbench.vae_measures import annealed_bracket, annealed_log_px

Bytes: TypeAlias = UInt8[np.ndarray, "..."]

NOISES = 16
"""Draws of the noise, joined within the log, by which a density bounds a probability."""


class ImageModel(NamedTuple):
    """A model of images on gray levels.

    Attributes:
      init: `key -> params`.
      loss: `(params, key, bytes of one image) -> (nats to lower, info)`; info has the `nll`.
      log_prob: `(params, key, bytes of one image) -> nats` of its levels, or a bound; None if the
        model has none.
      draw: `(params, key) -> one image` of the values k/(levels - 1).
      likelihood: what `log_prob` is: "exact", "bound", "AIS bound" or "none".
      bracket: of an AIS bound, `(params, key, anything) -> bounds of log p(x) from both sides`, of
        an image that the model draws.
    Example:
      >>> def loss(level, key, image):
      ...     error = jnp.mean((image / 255.0 - level) ** 2)
      ...     return error, {"nll": error}
      >>> gray = ImageModel(
      ...     init=lambda key: jnp.float32(0.5),
      ...     loss=loss,
      ...     log_prob=None,
      ...     draw=lambda level, key: jnp.full((8, 8, 1), level),
      ...     likelihood="none",
      ... )
      >>> gray.draw(gray.init(key), key).shape
      (8, 8, 1)
    """

    init: Callable[[Key], Params]
    loss: Callable[[Params, Key, Array], tuple[Scalar, Info]]
    log_prob: Callable[[Params, Key, Array], Scalar] | None
    draw: Callable[[Params, Key], Array]
    likelihood: str
    bracket: Callable[[Params, Key, Array], tuple[Scalar, Scalar]] | None = None


def levels_model(
    density: Density, images: ImageSet, draw: Any = None, climbed: Any = None
) -> ImageModel:
    """Returns the model of a density over the levels, such as an autoregressive one.

    Args:
      density: over one image, in the context ().
      images: of which it is a model.
      draw: `(params, key) -> one image`, where there is a faster way than the density's own.
      climbed: `(params, key, x) -> nats` that training raises, where there is a cheaper way than
        the density's own, such as `subsampled_log_prob`.
    Example:
      >>> levels_model(uniform_levels((8, 8, 1), 2), images.train).likelihood
      'exact'
    """

    def nll(params: Params, key: Key, image: Array, training: bool = True) -> Scalar:
        key_x, key_net = jax.random.split(key)
        x = images.prepare(key_x, image)
        if training and climbed is not None:
            return -climbed(params, key_net, x)
        p = conditioned(density, params, (), key_net if training else None)
        return -p.log_prob(x)

    def own_draw(params: Params, key: Key) -> Array:
        return density.distribution(params, ()).sample(seed=key)

    return ImageModel(
        lambda key: density.init(key, ()),
        lambda *at: _with_info(nll(*at)),
        lambda *at: -nll(*at, training=False),
        draw or own_draw,
        "exact",
    )


def dequantized_model(density: Density, images: ImageSet) -> ImageModel:
    """Returns the model of a density over dequantized pixels, such as a flow or a Gaussian.

    log P(levels) >= E[log p(x)] - dimensions · log(levels). It trains on that, and is measured by
    the tighter bound of 16 draws of the noise. Samples are rounded down to their level.

    Args:
      density: over one image of pixels in [0, 1), in the context ().
      images: of which it is a model.
    Example:
      >>> dequantized_model(reshaped(standard_normal(64), (8, 8, 1)), images.train).likelihood
      'bound'
    Source: Theis et al. (2016), section 3.1; Ho et al. (2019), "Flow++", for draws within the log.
    """
    levels, prepare = images.levels, dequantizer(images.levels)
    log_volume = math.log(levels) * images.images[0].size

    def one(params: Params, key: Key, image: Array) -> Scalar:
        return density.distribution(params, ()).log_prob(prepare(key, image)) - log_volume

    def log_prob(params: Params, key: Key, image: Array) -> Scalar:
        each = jax.vmap(lambda key: one(params, key, image))(jax.random.split(key, NOISES))
        return log_mean_exp(each, axis=0)

    def draw(params: Params, key: Key) -> Array:
        x = density.distribution(params, ()).sample(seed=key)
        return jnp.clip(jnp.floor(levels * x), 0, levels - 1) / (levels - 1)

    init = lambda key: density.init(key, ())  # noqa: E731
    return ImageModel(init, lambda *at: _with_info(-one(*at)), log_prob, draw, "bound")


def latent_model(
    vae: LatentVariableModel, images: ImageSet, temperatures: int, chains: int
) -> ImageModel:
    """Returns the model of a VAE whose p(x|z) is of levels, and whose q is a diagonal Gaussian.

    Args:
      vae: of one image.
      images: of which it is a model.
      temperatures, chains: of annealed importance sampling.
    Example:
      >>> latent_model(model, images.train, temperatures=30, chains=4).likelihood
      'AIS bound'
    """
    minus_elbo = negative_elbo(vae, images.prepare)
    log_px = annealed_log_px(vae, temperatures, chains)
    bracket = annealed_bracket(vae, temperatures, chains)

    def log_prob(params: Params, key: Key, image: Array) -> Scalar:
        key_x, key_chains = jax.random.split(key)
        return log_px(params, key_chains, images.prepare(key_x, image))

    def draw(params: Params, key: Key) -> Array:
        key_z, key_x = jax.random.split(key)
        return vae.decode(params, vae.prior(params).sample(seed=key_z)).sample(seed=key_x)

    loss = lambda *at: _with_info(minus_elbo(*at)[0])  # noqa: E731
    return ImageModel(vae.init, loss, log_prob, draw, "AIS bound", bracket)


def fit_images(
    run: Run, model: ImageModel, images: Bytes, held_out: Bytes, keys: tuple[Key, Key, Key]
) -> Params:
    """Returns the model's params after the run's training, those of the best epoch.

    Args:
      images: bytes to train on.
      held_out: bytes to choose the epoch by.
      keys: of the start, the training and the judge; cloned, so that models may be given the same.
    Example:
      >>> def loss(level, key, image):
      ...     error = jnp.mean((image / 255.0 - level) ** 2)
      ...     return error, {"nll": error}
      >>> gray = ImageModel(
      ...     init=lambda key: jnp.float32(0.5),
      ...     loss=loss,
      ...     log_prob=None,
      ...     draw=lambda level, key: jnp.full((8, 8, 1), level),
      ...     likelihood="none",
      ... )
      >>> with out.part("gray") as part:
      ...     level = fit_images(
      ...         part, gray, images.train.images, images.validation.images, tuple(config.keys(3))
      ...     )
      >>> level.shape
      ()
    """
    config = config_of(run, TrainingConfig)
    optimizer = make_optimizer(config.learning_rate, config.num_steps(len(images)), clip_norm=10.0)
    key_init, key_fit, key_judge = keys
    log_prob = model.log_prob
    if model.likelihood == "exact" and log_prob is not None:  # without the noise of training
        judged = lambda *at: _with_info(-log_prob(*at))  # noqa: E731
    else:
        judged = model.loss
    return train(
        run,
        init_state(jax.jit(model.init)(jax.random.clone(key_init)), optimizer),
        gradient_step(mean_over_batch(model.loss), optimizer),
        images,
        judge_by(mean_over_batch(judged)),
        key=key_fit,
        judge_key=key_judge,
        held_out=held_out,
        monitor="nll",
        better="lower",
        patience=config.epochs,
    ).params


def _with_info(nll: Scalar) -> tuple[Scalar, Info]:
    return nll, {"nll": nll}
