"""Is the difference of two sets of samples significant: everything with a p-value.

Most take the samples of p, then those of q (what draws, a key first), and return a `TestResult`.
Of several tests, the least p-value counts only when multiplied by how many they are.

| question | answer |
|---|---|
| no idea how they differ | `mmd_permutation_test` |
| by a statistic of my own | `permutation_test` |
| very many samples | `mmd_linear_test` |
| images, or whatever a net has to learn | `classifier_test`; with scores at hand, `accuracy_test` |
| nothing to choose and nothing to train | `nearest_neighbor_test` |
| only the mean, or the spread, of numbers | `mean_test`, `variance_test` |
| are the samples copies of the training set? | `memorization_test` |
| how far apart, and not whether | `jaxgen.divergences.energy_distance` |
"""

from jaxgen.boundary import doors
from jaxgen.two_sample.classifier import accuracy_test, classifier_test
from jaxgen.two_sample.memorization import memorization_test
from jaxgen.two_sample.nearest_neighbor import (
    NeighborAccuracy,
    nearest_neighbor_test,
    neighbor_accuracy,
)
from jaxgen.two_sample.parametric import mean_test, mmd_linear_test, variance_test
from jaxgen.two_sample.permutation import mmd_permutation_test, permutation_test
from jaxgen.two_sample.result import TestResult

__all__ = [
    "NeighborAccuracy",
    "TestResult",
    "accuracy_test",
    "classifier_test",
    "mean_test",
    "memorization_test",
    "mmd_linear_test",
    "mmd_permutation_test",
    "nearest_neighbor_test",
    "neighbor_accuracy",
    "permutation_test",
    "variance_test",
]

doors(__name__)
