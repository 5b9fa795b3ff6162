"""Which classes were taken for which, and the map of classes to classes that explains most."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from scipy.optimize import linear_sum_assignment

from jaxgen.array_checks import of_shape
from jaxgen.checks import at_least


def confusion_matrix(
    labels: Int[np.ndarray, "_"], predicted: Int[np.ndarray, "_"]
) -> Int[np.ndarray, "classes classes"]:
    """Returns how many images of each class (row) were taken for each (column).

    Raises:
      ValueError: there are no images, not as many predictions as labels, or a class below zero.
    Example:
      >>> confusion_matrix(labels=np.array([0, 1, 1]), predicted=np.array([0, 1, 0])).tolist()
      [[1, 0], [1, 1]]
    """
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    of_shape("predicted", predicted, (at_least("images", labels.size, 1),))
    of_shape("labels", labels, predicted.shape)
    if min(labels.min(), predicted.min()) < 0:
        raise ValueError("labels: got a class below 0, expected classes 0, 1, ...")
    classes = 1 + max(int(labels.max()), int(predicted.max()))
    counts = np.bincount(labels * classes + predicted, minlength=classes**2)
    return counts.reshape(classes, classes)


class Permutation(NamedTuple):
    """A map of classes to classes, one to one.

    Attributes:
      of: the class that each class becomes.
      share: of the images that the map tells right.
    Example:
      >>> Permutation(
      ...     of=np.array([1, 0]), share=0.94
      ... ).of.tolist()  # what class 0 becomes, and class 1
      [1, 0]
    """

    of: Int[np.ndarray, "classes"]
    share: float


def best_permutation(confusion: Int[np.ndarray, "classes _"]) -> Permutation:
    """Returns the map of classes to classes, one to one, that tells most images right.

    Raises:
      ValueError: the counts are no square matrix, or there is no image.
    Example:
      >>> found = best_permutation(np.array([[0, 9], [8, 1]]))
      >>> found.of.tolist(), found.share  # 17 of 18
      ([1, 0], 0.9444)
    Source: Kuhn (1955), "The Hungarian method for the assignment problem".
    """
    confusion = np.asarray(confusion)
    of_shape("confusion", confusion, (len(confusion), len(confusion)))
    at_least("images", int(np.sum(confusion)), 1)
    rows, columns = linear_sum_assignment(confusion, maximize=True)
    return Permutation(columns, float(confusion[rows, columns].sum() / confusion.sum()))
