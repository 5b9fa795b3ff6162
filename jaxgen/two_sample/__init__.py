"""Is the difference of two sets of samples significant: everything with a p-value."""

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
