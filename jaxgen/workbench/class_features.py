"""What features say of classes: by nearest neighbor and linear probe, with all labels and few."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from jaxgen.array_checks import arrays
from jaxgen.checks import at_least
from jaxgen.metrics import linear_probe, neighbor_accuracy
from jaxgen.numerics import highest_precision
from jaxgen.types import Info, Key
from jaxgen.values import ByName
from jaxgen.workbench.encoder_report import Labeled

MEASURES: Mapping[str, str] = ByName(
    "measure",
    {
        "neighbor": "1-NN",
        "probe": "linear probe",
        "neighbor_few": "1-NN, few labels",
        "probe_few": "linear probe, few labels",
    },
)
"""What `class_accuracy` returns, in words."""


def principal_components(
    images: UInt8[np.ndarray, "n height width channels"], count: int
) -> Callable[[Any, Array], Array]:
    """Returns the features, of no variables, that are the first principal components of pixels.

    Example:
      >>> features = principal_components(images.train.images, 5)
      >>> features((), x).shape
      (5, 5)
    """
    count = at_least("count", count, 1)
    pixels = images.reshape(len(images), -1) / 255
    mean = pixels.mean(axis=0)
    axes = np.linalg.svd(pixels - mean, full_matrices=False)[2][:count].T
    shift, turn = jnp.asarray(mean, jnp.float32), jnp.asarray(axes, jnp.float32)
    return lambda _, x: jnp.matmul(x.reshape(len(x), -1) - shift, turn, precision="highest")


def balanced_indices(
    key: Key, labels: Int[Array | np.ndarray, "n"], per_class: int
) -> Int[Array, "classes per_class"]:
    """Returns the indices of `per_class` random samples of every class, none twice.

    Raises:
      ValueError: a class has fewer.
    Example:
      >>> few = balanced_indices(key, images.train.labels, 2)
      >>> few.shape, images.train.labels[few[3]].tolist()
      ((10, 2), [3, 3])
    """
    per_class = at_least("per_class", per_class, 1)
    counts = np.bincount(np.asarray(labels))
    if counts.min() < per_class:
        raise ValueError(
            f"per_class: got {per_class}, expected at most {counts.min()}, the images of class "
            f"{counts.argmin()}"
        )
    shuffled = jax.random.permutation(key, len(labels))
    by_class = shuffled[jnp.argsort(jnp.asarray(labels)[shuffled], stable=True)]
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return by_class[first[:, None] + np.arange(per_class)]


def class_accuracy(
    features: Callable[[Any, Array], Array],
    variables: Any,
    few: Int[Array, "seeds chosen"],
    train: Labeled,
    test: Labeled,
    num_classes: int,
) -> dict[str, Float[np.ndarray, "seeds m"]]:
    """Returns for every seed and test image whether it is told right, by each of `MEASURES`.

    One seed at a time, all in one program; features of one size share it. Linear probes have
    features standardized over all training images, also those whose labels they are not told.

    Args:
      features: `(variables of one seed, images in [0, 1]) -> features`.
      variables: of every seed, stacked.
      few: which training images have labels where only few have.
      train: what neighbors and probes are of.
    Raises:
      ValueError: the variables have not as many rows as `few`.
    Example:
      >>> features = principal_components(images.train.images, 5)  # which have no variables
      >>> accuracy = partial(class_accuracy, lambda seed, x: features((), x), np.arange(3))
      >>> right = partial(accuracy, num_classes=10)  # of (few, train, test)
    """
    arrays("variables", variables)
    if lengths := {np.shape(leaf)[:1] for leaf in jax.tree.leaves(variables)} - {(len(few),)}:
        raise ValueError(
            f"variables: got leading axes {lengths}, expected ({len(few)},), the seeds of `few`"
        )
    seen = _features(features, variables, (train.images, test.images))
    told = _told(seen, few, train.labels, test.labels, num_classes=num_classes)
    return jax.device_get(told)


@partial(jax.jit, static_argnums=0)
@highest_precision
def _features(
    features: Callable[[Any, Array], Array], variables: Any, sets: tuple[Array, Array]
) -> tuple[Array, Array]:
    def of_seed(own: Any) -> tuple[Array, Array]:
        def of_one(image: Array) -> Array:
            return features(own, _pixels(image[None]))[0]

        of_train, of_test = (jax.lax.map(of_one, images, batch_size=500) for images in sets)
        return of_train, of_test

    return jax.lax.map(of_seed, variables)


@partial(jax.jit, static_argnames="num_classes")
def _told(
    seen: tuple[Array, Array], few: Array, labels: Array, test_labels: Array, *, num_classes: int
) -> dict[str, Array]:
    def of_seed(seed: tuple[tuple[Array, Array], Array]) -> dict[str, Array]:
        (at_train, at_test), chosen = seed
        right = {}
        for name, known in (("", slice(None)), ("_few", chosen)):
            told = at_train[known], labels[known]
            right[f"neighbor{name}"] = neighbor_accuracy(*told, at_test, test_labels)
            probe = linear_probe(*told, num_classes, standardized_by=at_train)
            says = jnp.argmax(probe.logits(at_test), axis=1)
            right[f"probe{name}"] = (says == test_labels).astype(jnp.float32)
        return right

    return jax.lax.map(of_seed, (seen, few))


def judge_by_few_labels(
    features: Callable[[Any, Array], Array],
) -> Callable[[Any, Key, tuple[Array, Labeled, Labeled]], Info]:
    """Returns a cheap judge of a training: `accuracy`, by nearest neighbor, the mean of the seeds.

    It is given the variables of every seed, and `(few, train, validation)` as `class_accuracy` is.

    Example:
      >>> judge = judge_by_few_labels(lambda scale, x: scale * x.reshape(len(x), -1))
      >>> known, held_out = (first_labeled(of, 50) for of in (images.train, images.test))
      >>> found = judge(jnp.ones(1), key, (jnp.arange(30)[None], known, held_out))
      >>> 0 <= found["accuracy"] <= 1
      Array(True, dtype=bool)
    """

    @jax.jit
    def judge(variables: Any, key: Key, held_out: tuple[Array, Labeled, Labeled]) -> Info:
        few, train, held = held_out

        def of_seed(seed: tuple[Any, Array]) -> Array:
            own, chosen = seed
            known = features(own, _pixels(train.images[chosen])), train.labels[chosen]
            seen = features(own, _pixels(held.images))
            return neighbor_accuracy(*known, seen, held.labels).mean()

        return {"accuracy": jax.lax.map(of_seed, (variables, few)).mean()}

    return judge


def _pixels(images: Any) -> Array:
    return jnp.asarray(images, jnp.float32) / 255
