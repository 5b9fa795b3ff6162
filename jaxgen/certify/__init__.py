"""Bias and variance of a gradient estimator, measured on problems with known answers."""

from jaxgen.certify.bias import Bias, paired_bias
from jaxgen.certify.budget import accepted, at_budget
from jaxgen.certify.certificate import Certificate, certify
from jaxgen.certify.directional_snr import directional_snr
from jaxgen.certify.exact_gradient import exact_gradient, quadrature_gradient
from jaxgen.certify.exact_moments import exact_moments, normal_quadrature, replay, sample_space
from jaxgen.certify.frozen import pack
from jaxgen.certify.frozen_decoder import FrozenVAE, Simulated, frozen_vae, simulate, two_latent_vae
from jaxgen.certify.known_kl import KnownKL, kl_from_draws
from jaxgen.certify.latent_quadrature import log_prob_by_quadrature
from jaxgen.certify.measure import measure
from jaxgen.certify.moments import DrawGradient, Moments, grad_moments
from jaxgen.certify.problem import Problem, Target, estimated_gradient
from jaxgen.certify.row import GROUPS, Row
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
    quadratic,
    toy,
)

__all__ = [
    "GROUPS",
    "TEACHER_NET",
    "TOYS",
    "Bias",
    "Certificate",
    "DrawGradient",
    "Draws",
    "FrozenVAE",
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
    "categorical",
    "certify",
    "constant_velocity",
    "cosine",
    "coupled",
    "directional_snr",
    "estimated_gradient",
    "exact_gradient",
    "exact_moments",
    "exponential",
    "frozen_vae",
    "grad_moments",
    "inside",
    "kl_from_draws",
    "log_prob_by_quadrature",
    "measure",
    "normal_quadrature",
    "pack",
    "paired_bias",
    "quadratic",
    "quadrature_gradient",
    "replay",
    "sample_space",
    "signal_to_noise",
    "simulate",
    "tables",
    "teacher",
    "toy",
    "two_latent_vae",
]
