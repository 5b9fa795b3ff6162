"""What the samples of a class-conditional model are worth, class by class."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from jaxgen.array_checks import class_labels, of_shape
from jaxgen.metrics import frechet_distance
from jaxgen.numerics import highest_precision
from jaxgen.pictures import side_by_side
from jaxgen.types import Key
from jaxgen.workbench.classifying import classifier_terms, fit_classifier
from jaxgen.workbench.features import (
    TrainedClassifier,
    feature_logits,
    image_features,
    load_classifier,
)
from jaxgen.workbench.images import Images

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Bytes: TypeAlias = UInt8[np.ndarray, "n height width channels"]
Features: TypeAlias = Callable[[Array | np.ndarray], Float[Array, "n features"]]
SHOWN = 10
"""Samples of each class in the picture."""


class ClassReport(NamedTuple):
    """Numbers for result.json; rows of a table (samples, other images of the data); a picture."""

    result: dict[str, Any]
    rows: list[list[Any]]
    picture: Figure


class Labels(NamedTuple):
    """The labels of three splits, from 0 to num_classes - 1."""

    num_classes: int
    train: Int[np.ndarray, "n"]
    validation: Int[np.ndarray, "n"]
    test: Int[np.ndarray, "n"]


def labels_of(images: Images, *, wanted: bool = True) -> Labels:
    """Returns the labels of the splits; zeros, of one class, where none are wanted.

    Raises:
      ValueError: the set has none; a split has classes that training has not.
    Example:
      >>> num_classes, train_y, validation_y, test_y = labels_of(images)
      >>> num_classes, test_y.shape
      (10, (100,))
    """
    if not wanted:
        return Labels(1, *(np.zeros(len(of.images), np.int32) for of in images))
    if images.train.labels is None:
        raise ValueError(f"conditional: got {images.train.name}, which has no labels")
    num_classes = int(images.train.labels.max()) + 1
    for of in images:
        class_labels(of.labels, num_classes, len(of.images))
    return Labels(num_classes, *(np.asarray(of.labels) for of in images))


def known_classes(run_directory: str | None, key: Key, images: Images) -> TrainedClassifier:
    """Returns the classifier of a run directory, or, with none, a small one that is trained now.

    Args:
      key: of the training; it is folded, so that it may be used again.
    Raises:
      ValueError: it knows another number of classes than the images have.
    Example:
      >>> path = folder.of_part("known").path
      >>> save_classifier(path, classifier)
      >>> known_classes(str(path), key, images).image_shape
      (8, 8, 1)
    """
    if run_directory is None:
        return fit_classifier(jax.random.fold_in(key, 0), images.train)
    classifier, expected = load_classifier(run_directory), labels_of(images).num_classes
    if classifier.net.num_classes != expected:
        raise ValueError(
            f"features: got a classifier of {classifier.net.num_classes} classes, expected one of "
            f"the {expected} of {images.train.name}"
        )
    return classifier


def report_classes(
    classifier: TrainedClassifier, images: Images, fakes: Bytes, features: Features
) -> ClassReport:
    """Returns how near the samples of each class are to its test images, and how well they show it.

    Beside each distance stands that of as many other images of the data, in the place of samples;
    beside the accuracy that on the test images.

    Args:
      classifier: whose accuracy on the samples is taken.
      images: the splits, with labels.
      fakes: one of the class of every test image, in their order.
      features: what distances are taken between.
    Example:
      >>> two = Images(*(first_of(of, 40)._replace(labels=np.arange(40) % 2) for of in images))
      >>> report = report_classes(classifier, two, two.test.images, load_features(None, (8, 8, 1)))
      >>> report.result["class_frechet"]  # of the test images to themselves
      [0.0, 0.0]
    """
    of_shape("fakes", fakes, images.test.images.shape)
    y = labels_of(images).test
    classes = [int(k) for k in np.unique(y)]
    others, other_y = as_test(images, y)
    seen = jax.jit(features)
    of_test, of_fakes, of_others = (
        np.asarray(seen(x)) for x in (images.test.images, fakes, others)
    )
    near, best = (
        [
            float(frechet_distance(jnp.asarray(of_test[y == k]), jnp.asarray(of[ys == k])).value)
            for k in classes
        ]
        for of, ys in ((of_fakes, y), (of_others, other_y))
    )
    shown, right = (accuracy(classifier, x, y) for x in (fakes, images.test.images))
    result = {
        "class_frechet": near,
        "class_frechet_of_reals": best,
        "class_accuracy": shown,
        "class_accuracy_of_reals": right,
    }
    rows = [[f"distance, class {k}", *pair] for k, *pair in zip(classes, near, best, strict=True)]
    rows.append(["accuracy of a classifier on them", shown, right])
    picture = {str(k): fakes[y == k][:SHOWN] / 255 for k in classes}
    fewest = min(map(len, picture.values()))
    title = f"Samples of each class: a classifier finds {shown:.1%} of them"
    figure = side_by_side({k: x[:fewest] for k, x in picture.items()}, title=title)
    return ClassReport(result, rows, figure)


def as_test(images: Images, y: Int[np.ndarray, "n"]) -> tuple[Bytes, Int[np.ndarray, "n"]]:
    """Returns images of validation and training, as many of each class as `y` has, and labels."""
    x, labels = (
        np.concatenate([getattr(of, name) for of in (images.validation, images.train)])
        for name in ("images", "labels")
    )
    chosen = np.concatenate([np.flatnonzero(labels == k)[: np.sum(y == k)] for k in np.unique(y)])
    return x[chosen], labels[chosen]


@highest_precision
def accuracy(classifier: TrainedClassifier, x: Bytes, y: Int[np.ndarray, "n"]) -> float:
    """Returns the share of images whose class the classifier finds the likeliest."""

    @jax.jit
    def of(x: Array, y: Array) -> Array:
        logits = feature_logits(classifier, image_features(classifier, x))
        return jnp.mean(classifier_terms(logits, y)["accuracy"])

    return float(of(x, y))
