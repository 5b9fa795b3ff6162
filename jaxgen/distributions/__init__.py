r"""Distributions that distrax lacks, or has in a form that is slower or less stable.

| question | answer |
|---|---|
| q(z\|x), or a prior | `diagonal_normal` |
| bits | `Bernoulli` |
| gray levels | `GrayLevels`, `DiscretizedLogistic` |
| many entries as one event | `Independent` |
| a flow out of bijectors | `Transformed` |
| the bijectors | `coupling`, `MaskedAutoregressive`, `logit`, `Squeeze`, `Permutation` |
| near categories, out of a Gaussian | `SoftmaxPlusPlus` |
| what they do to each entry | `affine`, `rational_quadratic_spline` |
| pixel after pixel, by any causal net | `Autoregressive` |
| samples in fewer passes than pixels | `triangular_fixed_point` |
| targets on a line or plane with exact densities | `line`, `ring`, `grid` |
| my own, by two functions | `FunctionDistribution` |
"""

from jaxgen.boundary import doors
from jaxgen.distributions.autoregressive import Autoregressive
from jaxgen.distributions.bernoulli import Bernoulli
from jaxgen.distributions.coupling import Conditioner, coupling, in_context
from jaxgen.distributions.diagonal_normal import diagonal_normal
from jaxgen.distributions.discretized_logistic import DiscretizedLogistic
from jaxgen.distributions.fixed_point import triangular_fixed_point
from jaxgen.distributions.function_distribution import FunctionDistribution
from jaxgen.distributions.gray_levels import GrayLevels, nearest_level, on_level
from jaxgen.distributions.independent import Independent
from jaxgen.distributions.masked_autoregressive import MaskedAutoregressive
from jaxgen.distributions.one_distribution import OneDistribution
from jaxgen.distributions.rearrangements import Permutation, Squeeze, logit
from jaxgen.distributions.scalar_transforms import (
    ScalarTransform,
    affine,
    rational_quadratic_spline,
)
from jaxgen.distributions.softmax_plus_plus import SoftmaxPlusPlus
from jaxgen.distributions.stratified import stratified_uniform
from jaxgen.distributions.toy import IsotropicMixture, grid, line, ring
from jaxgen.distributions.transformed import Transformed

__all__ = [
    "Autoregressive",
    "Bernoulli",
    "Conditioner",
    "DiscretizedLogistic",
    "FunctionDistribution",
    "GrayLevels",
    "Independent",
    "IsotropicMixture",
    "MaskedAutoregressive",
    "OneDistribution",
    "Permutation",
    "ScalarTransform",
    "SoftmaxPlusPlus",
    "Squeeze",
    "Transformed",
    "affine",
    "coupling",
    "diagonal_normal",
    "grid",
    "in_context",
    "line",
    "logit",
    "nearest_level",
    "on_level",
    "rational_quadratic_spline",
    "ring",
    "stratified_uniform",
    "triangular_fixed_point",
]

doors(__name__)
