r"""Certificates: of an estimator's bias and variance on known problems, and of a density's laws.

| question | answer |
|---|---|
| is my estimator unbiased, and how noisy? | `certify`, of a `Problem` |
| which of many, for as many evaluations of f? | `measure`; `tables` shows the rows |
| a problem whose gradient is known | `TOYS`, such as `toy` and `quadratic` |
| the gradient without noise, of a problem of my own | `exact_gradient`, `exact_moments` |
| bias against a reference, with less noise | `paired_bias` |
| does the gradient drown as samples are added? | `signal_to_noise`, `directional_snr` |
| is it a density, causal, sampled as it says? | `check_density`, `density_report` |
| is a bijector's log determinant right? | `bijector_errors` |
| what a net's output depends on | `dependence` |
| images whose log p(x) is known exactly | `teacher`, `frozen_vae` |
| KL(p \|\| q), with p known | `kl_from_draws` |
"""

from jaxgen.boundary import doors
from jaxgen.certify.bias import Bias, paired_bias
from jaxgen.certify.bijector_laws import BijectorErrors, bijector_errors
from jaxgen.certify.budget import accepted, at_budget, refusal
from jaxgen.certify.certificate import Certificate, certify
from jaxgen.certify.counted import counted_evaluations
from jaxgen.certify.density_check import check_density, density_report
from jaxgen.certify.dependence import dependence
from jaxgen.certify.dequantization import check_dequantizer
from jaxgen.certify.directional_snr import directional_snr
from jaxgen.certify.enumerated import enumerated_moments
from jaxgen.certify.estimator_report import estimator_report
from jaxgen.certify.exact_gradient import exact_gradient, quadrature_gradient
from jaxgen.certify.exact_moments import exact_moments, normal_quadrature, replay, sample_space
from jaxgen.certify.finding import DensityReport, Finding
from jaxgen.certify.frozen import pack
from jaxgen.certify.frozen_decoder import FrozenVAE, Simulated, frozen_vae, simulate, two_latent_vae
from jaxgen.certify.judged import EstimatorReport, Judged
from jaxgen.certify.known_kl import KnownKL, kl_from_draws
from jaxgen.certify.latent_quadrature import log_prob_by_quadrature
from jaxgen.certify.measure import measure
from jaxgen.certify.moments import DrawGradient, Moments, grad_moments
from jaxgen.certify.problem import Problem, Target, estimated_gradient
from jaxgen.certify.row import GROUPS, Row, relative_variance
from jaxgen.certify.sampling_law import goodness_of_fit
from jaxgen.certify.signal_to_noise import SignalToNoise, signal_to_noise
from jaxgen.certify.tables import tables
from jaxgen.certify.teacher import TEACHER_NET, Draws, Teacher, teacher
from jaxgen.certify.toys import (
    TOYS,
    categorical,
    constant_velocity,
    cosine,
    coupled,
    exponential,
    inside,
    linear_gaussian,
    quadratic,
    toy,
)

__all__ = [
    "GROUPS",
    "TEACHER_NET",
    "TOYS",
    "Bias",
    "BijectorErrors",
    "Certificate",
    "DensityReport",
    "DrawGradient",
    "Draws",
    "EstimatorReport",
    "Finding",
    "FrozenVAE",
    "Judged",
    "KnownKL",
    "Moments",
    "Problem",
    "Row",
    "SignalToNoise",
    "Simulated",
    "Target",
    "Teacher",
    "accepted",
    "at_budget",
    "bijector_errors",
    "categorical",
    "certify",
    "check_density",
    "check_dequantizer",
    "constant_velocity",
    "cosine",
    "counted_evaluations",
    "coupled",
    "density_report",
    "dependence",
    "directional_snr",
    "enumerated_moments",
    "estimated_gradient",
    "estimator_report",
    "exact_gradient",
    "exact_moments",
    "exponential",
    "frozen_vae",
    "goodness_of_fit",
    "grad_moments",
    "inside",
    "kl_from_draws",
    "linear_gaussian",
    "log_prob_by_quadrature",
    "measure",
    "normal_quadrature",
    "pack",
    "paired_bias",
    "quadratic",
    "quadrature_gradient",
    "refusal",
    "relative_variance",
    "replay",
    "sample_space",
    "signal_to_noise",
    "simulate",
    "tables",
    "teacher",
    "toy",
    "two_latent_vae",
]

doors(__name__)
