"""The report on encoders of several seeds: every number of theirs beside what it must beat."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from jaxgen.data import ImageSet
from jaxgen.metrics import neighbor_accuracy
from jaxgen.models import BiGan, variables_of
from jaxgen.nets import last_features
from jaxgen.numerics import highest_precision
from jaxgen.types import Key, Variables
from jaxgen.values import ByName
from jaxgen.workbench.encoder_measures import joint_tests, round_trips
from jaxgen.workbench.run import Table
from jaxgen.workbench.summary import mean_over_seeds

ROUND_TRIPS: Mapping[str, str] = ByName(
    "number",
    {
        "reconstruction": "|x - G(E(x))|",
        "reconstruction_shuffled": "  of another image's x",
        "inversion": "|z - E(G(z))|",
        "inversion_shuffled": "  of another sample's z",
    },
)
"""What `round_trips` returns, in words."""

ENCODERS: Mapping[str, str] = ByName(
    "number",
    {
        "neighbors_encoded": "1-NN accuracy, E(x)",
        "neighbors_before": "1-NN accuracy, layer before",
        **ROUND_TRIPS,
        "mmd_p": "joint MMD test, p-value",
        "told_apart": "pairs told apart, accuracy",
    },
)
"""What `judge_encoders` returns, in words."""


def in_floats(images: UInt8[Array | np.ndarray, "n ..."]) -> Float[Array, "n ..."]:
    """Returns pixels in [0, 1].

    Example:
      >>> in_floats(np.array([[0, 255]], np.uint8))
      Array([[0., 1.]], dtype=float32)
    """
    return jnp.asarray(images, jnp.float32) / 255.0


class Labeled(NamedTuple):
    """Images in bytes and their classes.

    Attributes:
      images: pixels, 0 to 255.
      labels: one class each.
    Example:
      >>> Labeled(images.train.images, images.train.labels).labels.shape
      (100,)
    """

    images: UInt8[Array | np.ndarray, "n ..."]
    labels: Int[Array | np.ndarray, "n"]


def first_labeled(images: ImageSet, count: int) -> Labeled:
    """Returns the first `count` images of a set, or all if there are fewer, with their labels.

    Raises:
      ValueError: the set has no labels; the message names the flag --dataset.
    Example:
      >>> first_labeled(images.train, 30).images.shape
      (30, 8, 8, 1)
    """
    if images.labels is None:
        raise ValueError(f"dataset: got {images.name} without labels, expected a labeled set")
    return Labeled(images.images[:count], images.labels[:count])


@partial(jax.jit, static_argnames=("model", "net"))
@highest_precision
def judge_encoders(
    key: Key, model: BiGan, net: nn.Module, players: Variables, train: Labeled, test: Labeled
) -> dict[str, Float[Array, "seeds"]]:
    """Returns the numbers of `ENCODERS` of every seed's nets; the key is cloned.

    A Gaussian encoder is its mean, but in the tests of the joint, where it is drawn.

    Args:
      key: of latents and tests, the same for all seeds.
      model: the BiGAN.
      net: its encoder's linen module, whose last layer is a `Dense`.
      players: both nets' variables, stacked.
      train: that the nearest neighbor is looked for among.
      test: that are judged.
    Example:
      >>> judge = partial(judge_encoders, key)  # of (model, net, players, train, test)
    """
    x = in_floats(test.images)

    def encoded(player: Variables, images: Array | np.ndarray) -> tuple[Array, Array]:
        """E(x), and what the encoder's last layer is given, a block at a time."""

        def of_one(image: Array) -> tuple[Array, Array]:
            x = image[None].astype(jnp.float32) / 255.0
            features = last_features(net, variables_of(player, "E"), x)
            return model.encode(player, x)[0][0], features[0]

        return jax.lax.map(of_one, jnp.asarray(images), batch_size=500)

    def of_seed(player: Variables) -> dict[str, Array]:
        key_z, key_sides, key_tests = jax.random.split(jax.random.clone(key), 3)
        batch = model.draw(key_z, x)
        real, fake, _ = model.sides(player, key_sides, batch, train=False)
        pairs = zip(*(encoded(player, of.images) for of in (train, test)), strict=True)
        right = (neighbor_accuracy(a, train.labels, b, test.labels) for a, b in pairs)
        return {
            **dict(
                zip(("neighbors_encoded", "neighbors_before"), map(jnp.mean, right), strict=True)
            ),
            **round_trips(model, player, batch.x, batch.z),
            **joint_tests(key_tests, real, fake),
        }

    return jax.lax.map(of_seed, players)


def report_encoders(
    title: str,
    trained: Mapping[str, Float[Array, "seeds"]],
    untrained: Mapping[str, Float[Array, "seeds"]],
    train: Labeled,
    test: Labeled,
) -> tuple[dict[str, Any], Table]:
    """Returns all numbers and their table: every seed, mean with a 95% interval, and baselines.

    Args:
      title: of the table.
      trained: what `judge_encoders` found.
      untrained: of the same seeds before training.
      train: as it was given.
      test: as it was given.
    Example:
      >>> trained = {name: np.array([0.9, 0.7]) for name in ENCODERS}  # of two seeds
      >>> untrained = {name: np.array([0.1, 0.1]) for name in ENCODERS}
      >>> known, held_out = (first_labeled(of, 50) for of in (images.train, images.test))
      >>> result, table = report_encoders("BiGAN on digits", trained, untrained, known, held_out)
      >>> float(result["means"]["told_apart"])
      0.8
    """
    seeds, starts = (
        {name: np.asarray(of[name]) for name in ENCODERS} for of in (trained, untrained)
    )
    means = {name: mean_over_seeds(values) for name, values in seeds.items()}
    known, queries = (in_floats(of.images) for of in (train, test))
    pixels = float(neighbor_accuracy(known, train.labels, queries, test.labels).mean())
    result = {
        "of_seeds": seeds,
        "means": {name: mean.value for name, mean in means.items()},
        "half_widths": {name: mean.half_width for name, mean in means.items()},
        "untrained": {name: values.mean() for name, values in starts.items()},
        "neighbors_pixels": pixels,
    }
    rows: list[list[Any]] = [
        [label, *map(float, (*seeds[name], means[name].value, starts[name].mean()))]
        for name, label in ENCODERS.items()
    ]
    names = [f"seed {i}" for i in range(len(seeds["inversion"]))]
    rows.insert(2, ["1-NN accuracy, pixels", *[""] * (len(names) + 1), pixels])
    return result, Table(title, ["", *names, "mean", "untrained"], rows)
