"""How far apart two distributions are: f-divergences and their bounds, kernels, transport.

| question | answer |
|---|---|
| an f-divergence by its name | `DIVERGENCES`; families by `alpha_divergence` |
| one of my own | `f_divergence`, checked as it is made |
| its value from samples alone | `estimate` trains a critic and bounds it on held-out samples |
| its value from exact log ratios | `divergence_of_log_ratios` |
| from probabilities; from two Gaussians | `discrete_divergence`; `gaussian_alpha_divergence` |
| the bound of a critic that I have | `variational_bound`, `activated_bound` |
| do two sets of samples differ in any way? | `mmd_unbiased`, with `rbf` or `kernel_mixture` |
| and in linear time, with an error | `mmd_linear` |
| a distance without a bandwidth | `energy_distance`, `sliced_wasserstein` |
| where do they differ? | `witness` |
| a bandwidth | `median_heuristic` |
| kernels of more samples than fit | `gram_product`, `sharded_gram_product` |
| is the difference more than chance? | `jaxgen.two_sample.mmd_permutation_test` |
"""

from jaxgen.boundary import doors
from jaxgen.divergences.closed_forms import discrete_divergence, gaussian_alpha_divergence
from jaxgen.divergences.critic import TrainedCritic, split_held_out, train_critic
from jaxgen.divergences.custom import f_divergence
from jaxgen.divergences.estimate import BoundEstimate, estimate
from jaxgen.divergences.f_divergence import FDivergence
from jaxgen.divergences.families import alpha_divergence, weighted_jensen_shannon
from jaxgen.divergences.gram import GramProduct, gram_product, sharded_gram_product
from jaxgen.divergences.kernels import (
    Kernel,
    as_kernel,
    inverse_multiquadric,
    kernel_mixture,
    laplace,
    negative_distance,
    polynomial,
    rational_quadratic,
    rbf,
)
from jaxgen.divergences.known_ratio import divergence_of_log_ratios
from jaxgen.divergences.median_heuristic import median_heuristic
from jaxgen.divergences.mmd import energy_distance, mmd_biased, mmd_linear, mmd_unbiased, witness
from jaxgen.divergences.normals_on_line import NormalFit, NormalsOnLine, tail_orders
from jaxgen.divergences.sample_terms import IndependentTerms, SampleTerms
from jaxgen.divergences.self_check import check_divergence
from jaxgen.divergences.sliced_wasserstein import sliced_wasserstein
from jaxgen.divergences.table import DIVERGENCES
from jaxgen.divergences.variational import activated_bound, variational_bound
from jaxgen.divergences.wasserstein import wasserstein_distance

__all__ = [
    "DIVERGENCES",
    "BoundEstimate",
    "FDivergence",
    "GramProduct",
    "IndependentTerms",
    "Kernel",
    "NormalFit",
    "NormalsOnLine",
    "SampleTerms",
    "TrainedCritic",
    "activated_bound",
    "alpha_divergence",
    "as_kernel",
    "check_divergence",
    "discrete_divergence",
    "divergence_of_log_ratios",
    "energy_distance",
    "estimate",
    "f_divergence",
    "gaussian_alpha_divergence",
    "gram_product",
    "inverse_multiquadric",
    "kernel_mixture",
    "laplace",
    "median_heuristic",
    "mmd_biased",
    "mmd_linear",
    "mmd_unbiased",
    "negative_distance",
    "polynomial",
    "rational_quadratic",
    "rbf",
    "sharded_gram_product",
    "sliced_wasserstein",
    "split_held_out",
    "tail_orders",
    "train_critic",
    "variational_bound",
    "wasserstein_distance",
    "weighted_jensen_shannon",
    "witness",
]

doors(__name__)
