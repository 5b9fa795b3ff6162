"""Unpaired domains whose true pairing is known: to score by, and never shown to training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Bool, Int, Int32, Shaped, UInt8

from jaxgen.checks import between_0_and_1
from jaxgen.data.image_set import ImageSet
from jaxgen.values import ByName, known_by_call

Pixels: TypeAlias = UInt8[np.ndarray, "n height width channels"]


class Translation(NamedTuple):
    """What a task is made by.

    Attributes:
      forward: images of X to their true partners in Y, [n, height, width, channels] uint8; it
        draws nothing, and maps unlike images to unlike ones.
      kept: of the labels of Y's images, which of them the domain keeps; it draws nothing.
    Example:
      >>> task = Translation(forward=inverted, kept=lambda labels: labels != 7)  # Y lacks sevens
      >>> domains = unpaired(load("digits", "train"), load("digits", "test"), task)
      >>> (domains.y_labels == 7).sum()
      np.int64(0)
    """

    forward: Callable[[Pixels], Pixels]
    kept: Callable[[Int[np.ndarray, "n"]], Bool[np.ndarray, "n"]]


class UnpairedDomains(NamedTuple):
    """Two domains to train on, and test images of both whose pairing is known.

    Attributes:
      x: training images of X.
      y: training images of Y; none of them is the partner of one in x.
      x_labels, y_labels: of the training images, for judges alone.
      test_x: test images of X.
      test_y: their true partners.
      test_labels: of each pair.
    Example:
      >>> task = unpaired(load("digits", "train"), load("digits", "test"), TRANSLATIONS["local"])
      >>> bool((task.test_x + task.test_y == 255).all())  # partners; those of x are not in y
      True
    """

    x: Pixels
    y: Pixels
    x_labels: Int32[np.ndarray, "x"]
    y_labels: Int32[np.ndarray, "y"]
    test_x: Pixels
    test_y: Pixels
    test_labels: Int32[np.ndarray, "test"]


def unpaired(train: ImageSet, test: ImageSet, translation: Translation) -> UnpairedDomains:
    """Returns the domains of a task: the first half of `train` is X, the rest, translated, Y.

    So the two domains share no image, and no pairing of them is right. Of Y the images that
    `translation.kept` leaves out are gone; the test images are all there.

    Args:
      train: a set with labels, in random order.
      test: another split of it.
    Raises:
      ValueError: a set has no labels; a half, or what is kept of it, is empty.
    Example:
      >>> task = unpaired(load("digits", "train"), load("digits", "test"), TRANSLATIONS["rotated"])
      >>> bool((task.test_y == rotated_and_inverted(task.test_x)).all())  # partners
      True
    """
    train_labels, test_labels = _labels("train", train), _labels("test", test)
    half = len(train.images) // 2
    y_labels = train_labels[half:]
    kept = translation.kept(y_labels)
    if not half or not kept.any():
        raise ValueError(
            f"train: got {half} images for X and {int(kept.sum())} for Y, expected some for both"
        )
    return UnpairedDomains(
        x=train.images[:half],
        y=translation.forward(train.images[half:][kept]),
        x_labels=train_labels[:half],
        y_labels=y_labels[kept],
        test_x=test.images,
        test_y=translation.forward(test.images),
        test_labels=test_labels,
    )


def _labels(name: str, images: ImageSet) -> Int32[np.ndarray, "n"]:
    if images.labels is None:
        raise ValueError(f"{name}: got {images.name} without labels, expected some to judge by")
    return images.labels


def inverted(images: Shaped[np.ndarray, "..."]) -> Pixels:
    """Returns white for black: a map of every pixel by itself.

    Raises:
      ValueError: images are not uint8.
    Example:
      >>> inverted(np.array([[[[0], [200]]]], np.uint8)).ravel().tolist()
      [255, 55]
    """
    return 255 - _uint8(images)


def rotated_and_inverted(images: Shaped[np.ndarray, "..."]) -> Pixels:
    """Returns the images turned by 90 degrees to the left, white for black.

    Raises:
      ValueError: images are not uint8.
    Example:
      >>> rotated_and_inverted(np.array([[[[0], [200]]]], np.uint8))[0, :, :, 0].tolist()
      [[55], [255]]
    """
    return 255 - np.rot90(_uint8(images), axes=(1, 2))


def _uint8(images: Shaped[np.ndarray, "..."]) -> Pixels:
    if images.dtype != np.uint8:
        raise ValueError(f"images: got {images.dtype}, expected uint8 pixels (0 to 255)")
    return images


def every_image(labels: Int[np.ndarray, "n"]) -> Bool[np.ndarray, "n"]:
    """Keeps all.

    Example:
      >>> every_image(np.array([0, 1, 1])).tolist()
      [True, True, True]
    """
    return np.ones(len(labels), bool)


@known_by_call
def rare_upper_half(share: float) -> Callable[[Int[np.ndarray, "n"]], Bool[np.ndarray, "n"]]:
    """Returns the rule that keeps a share of each class of the upper half, the first of them.

    Of classes 0 to 9 these are 5 to 9; at least one image of each is kept.

    Args:
      share: that is kept, in (0, 1).
    Raises:
      ValueError: share is no such number.
    Example:
      >>> kept = rare_upper_half(0.1)(np.array([0, 1] * 20))
      >>> int(kept.sum())  # all 20 of class 0 and 2 of class 1
      22
    """
    share = between_0_and_1("share", share)

    def kept(labels: Int[np.ndarray, "n"]) -> Bool[np.ndarray, "n"]:
        chosen = np.ones(len(labels), bool)
        classes = np.unique(labels)
        for label in classes[(len(classes) + 1) // 2 :]:
            members = np.flatnonzero(labels == label)
            chosen[members[max(1, round(share * len(members))) :]] = False
        return chosen

    return kept


TRANSLATIONS: Mapping[str, Translation] = ByName(
    "translation",
    {
        "local": Translation(inverted, every_image),
        "rotated": Translation(rotated_and_inverted, every_image),
        "imbalanced": Translation(inverted, rare_upper_half(0.1)),
    },
)
"""A map of each pixel, one of all of them, and the first onto a Y that lacks nine tenths of half
the classes."""
