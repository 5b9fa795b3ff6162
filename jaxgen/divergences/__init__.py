"""Comparing distributions: f-divergences, kernel and classifier two-sample tests."""

from jaxgen.divergences.closed_forms import discrete_divergence, gaussian_alpha_divergence
from jaxgen.divergences.critic import Apply, Init, split, train_critic
from jaxgen.divergences.custom import f_divergence
from jaxgen.divergences.estimate import BoundEstimate, estimate
from jaxgen.divergences.f_divergence import FDivergence
from jaxgen.divergences.gram import GramProduct, gram_product, sharded_gram_product
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
from jaxgen.divergences.mmd import energy_distance, mmd_biased, mmd_linear, mmd_unbiased, witness
from jaxgen.divergences.sample_terms import SampleTerms
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
    "Apply",
    "BoundEstimate",
    "FDivergence",
    "GramProduct",
    "Init",
    "Kernel",
    "SampleTerms",
    "activated_bound",
    "alpha_divergence",
    "check_divergence",
    "discrete_divergence",
    "divergence_by_name",
    "energy_distance",
    "estimate",
    "f_divergence",
    "gaussian_alpha_divergence",
    "gram_product",
    "inverse_multiquadric",
    "laplace",
    "median_heuristic",
    "mixture",
    "mmd_biased",
    "mmd_linear",
    "mmd_unbiased",
    "negative_distance",
    "polynomial",
    "rational_quadratic",
    "rbf",
    "sharded_gram_product",
    "sliced_wasserstein",
    "split",
    "train_critic",
    "variational_bound",
    "weighted_jensen_shannon",
    "witness",
]
