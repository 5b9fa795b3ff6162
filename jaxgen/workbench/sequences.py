"""Sequences to learn: drawn from a model that is known, or images read row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt8

from jaxgen.distributions import Bernoulli, Independent
from jaxgen.models import (
    Sequences,
    SequentialModel,
    linear_gaussian,
    sample_sequences,
    stochastic_volatility,
    variational_rnn,
)
from jaxgen.nets import MLP
from jaxgen.types import Distribution, Key, Params
from jaxgen.workbench.config import SequenceConfig
from jaxgen.workbench.images import load_images


class Known(NamedTuple):
    """What sequences were drawn from.

    Attributes:
      params: of the model.
      signal: of p(x_t|z_t), the one number to be drawn against time.
      name: of that number.
    Example:
      >>> Known({}, lambda x: x.mean()[0], "E[x_1 | z]").name
      'E[x_1 | z]'
    """

    params: Params
    signal: Callable[[Distribution], Array]
    name: str


class SequenceSets(NamedTuple):
    """The splits of a set of sequences, and a model to learn them by.

    Attributes:
      train, validation, test: the sequences.
      model: which may have drawn them.
      known: what drew them; None for images.
      row_shape: of a row of an image, (width, channels).
    Example:
      >>> sets = load_sequences(SequenceConfig(dataset="digits"), key)
      >>> sets.test.xs.shape[1:], sets.row_shape  # rows of eight pixels
      ((8, 8), (8, 1))
    """

    train: Sequences
    validation: Sequences
    test: Sequences
    model: SequentialModel
    known: Known | None
    row_shape: tuple[int, ...] = ()


def turning() -> tuple[SequentialModel, Known]:
    """Returns a linear-Gaussian model whose latent turns by .3 in the plane as it decays.

    Example:
      >>> model, known = turning()
      >>> xs, zs = sample_sequence(key, model, known.params, 50)
    """
    model = linear_gaussian(latent_size=2, x_size=3)
    cos, sin = jnp.cos(0.3), jnp.sin(0.3)
    params = model.init(jax.random.key(0)) | {
        "transition": 0.95 * jnp.array([[cos, -sin], [sin, cos]], float),
        "transition_log_scale": jnp.log(jnp.array([0.3, 0.3])),
        "emission": jnp.array([[1.0, 0.0], [0.5, -0.8], [0.0, 0.6]]),
        "emission_log_scale": jnp.log(jnp.array([0.5, 0.5, 0.5])),
    }
    return model, Known(params, lambda x: x.mean()[0], "E[x_1 | z]")


def volatile() -> tuple[SequentialModel, Known]:
    """Returns a stochastic-volatility model of one series, persistent as daily returns are.

    Example:
      >>> model, known = volatile()
    """
    model = stochastic_volatility(1)
    params = model.init(jax.random.key(0)) | {
        "mean": jnp.array([-1.0]),
        "raw_persistence": jnp.arctanh(jnp.array([0.95])),
        "log_scale": jnp.log(jnp.array([0.3])),
    }
    return model, Known(params, lambda x: x.stddev()[0], "volatility")


KNOWN = {"linear_gaussian": turning, "stochastic_volatility": volatile}


def load_sequences(config: SequenceConfig, key: Key) -> SequenceSets:
    """Returns the sequences of `config.dataset` and an untrained model of them.

    Args:
      key: of the sequences that are drawn.
    Raises:
      ValueError: there is no such set, or it is smaller than a batch; the message names the flag.
    Example:
      >>> sets = load_sequences(SequenceConfig(dataset="digits"), key)
      >>> sets.known is None  # images, whose model nobody knows
      True
    """
    if config.dataset not in KNOWN:
        images = load_images(config)
        train, validation, test = (rows_of_images(split.images) for split in images)
        model, row_shape = rows_model(train.xs.shape[2]), images.train.images.shape[2:]
        return SequenceSets(train, validation, test, model, None, row_shape)
    if config.batch_size > config.sequences:
        raise ValueError(
            f"batch_size: got {config.batch_size}, expected at most {config.sequences}, the "
            f"training sequences of {config.dataset}"
        )
    model, known = KNOWN[config.dataset]()
    part = config.sequences // 4

    @jax.jit
    def draw(key: Key) -> Sequences:
        count, shortest = config.sequences + 2 * part, config.time // 2
        return sample_sequences(key, model, known.params, count, shortest, config.time)

    drawn = draw(key)

    def rows(start: int, stop: int | None) -> Sequences:
        return jax.tree.map(lambda of: of[start:stop], drawn)

    return SequenceSets(rows(2 * part, None), rows(0, part), rows(part, 2 * part), model, known)


def rows_of_images(images: UInt8[np.ndarray, "n height width channels"]) -> Sequences:
    """Returns images as sequences of their rows, cut at one half.

    Example:
      >>> rows_of_images(test.images).xs  # [n, height, width * channels]
    """
    xs = jnp.asarray(images.reshape(*images.shape[:2], -1) >= 128, float)
    return Sequences(xs, jnp.ones(xs.shape[:2], bool))


def rows_model(x_size: int) -> SequentialModel:
    """Returns a variational recurrent network of `x_size` bits a step: 8 latents, layers of 64.

    Example:
      >>> model = rows_model(28)
    """
    return variational_rnn(
        nn.GRUCell(64),
        MLP((64,), (2, 8)),
        MLP((64,), (2, 8)),
        MLP((64,), (x_size,)),
        lambda logits: Independent(Bernoulli(logits), 1),
        latent_size=8,
        x_size=x_size,
    )
