"""Comparing distributions: f-divergences, kernel and classifier two-sample tests."""

from jaxgen.divergences.classifier import (
    accuracy_test,
    classifier_test,
    nearest_neighbour_test,
)
from jaxgen.divergences.closed_forms import discrete_divergence, gaussian_alpha_divergence
from jaxgen.divergences.contrast import Contrast
from jaxgen.divergences.custom import f_divergence
from jaxgen.divergences.estimate import BoundEstimate, estimate
from jaxgen.divergences.f_divergence import FDivergence
from jaxgen.divergences.gram import gram_product, sharded_gram_product
from jaxgen.divergences.kernels import (
    Kernel,
    inverse_multiquadric,
    laplace,
    median_heuristic,
    mixture,
    negative_distance,
    polynomial,
    rational_quadratic,
    rbf,
)
from jaxgen.divergences.mmd import (
    energy_distance,
    mmd_biased,
    mmd_linear,
    mmd_unbiased,
    witness,
)
from jaxgen.divergences.parametric import mean_test, mmd_linear_test, variance_test
from jaxgen.divergences.permutation import mmd_permutation_test, permutation_test
from jaxgen.divergences.result import TestResult
from jaxgen.divergences.self_check import check_divergence
from jaxgen.divergences.sliced_wasserstein import sliced_wasserstein
from jaxgen.divergences.table import (
    DIVERGENCES,
    alpha_divergence,
    divergence_by_name,
    weighted_jensen_shannon,
)
from jaxgen.divergences.variational import activated_bound, variational_bound

__all__ = [
    "DIVERGENCES",
    "BoundEstimate",
    "Contrast",
    "FDivergence",
    "Kernel",
    "TestResult",
    "accuracy_test",
    "activated_bound",
    "alpha_divergence",
    "check_divergence",
    "classifier_test",
    "discrete_divergence",
    "divergence_by_name",
    "energy_distance",
    "estimate",
    "f_divergence",
    "gaussian_alpha_divergence",
    "gram_product",
    "inverse_multiquadric",
    "laplace",
    "mean_test",
    "median_heuristic",
    "mixture",
    "mmd_biased",
    "mmd_linear",
    "mmd_linear_test",
    "mmd_permutation_test",
    "mmd_unbiased",
    "nearest_neighbour_test",
    "negative_distance",
    "permutation_test",
    "polynomial",
    "rational_quadratic",
    "rbf",
    "sharded_gram_product",
    "sliced_wasserstein",
    "variance_test",
    "variational_bound",
    "weighted_jensen_shannon",
    "witness",
]
