"""The certificate of an estimator: its moments, its bias, and problems with known answers."""

from jaxgen.certify.exact_moments import exact_moments, normal_quadrature, replay, sample_space
from jaxgen.certify.moments import Bias, Moments, directional_snr, grad_moments, paired_bias

__all__ = [
    "Bias",
    "Moments",
    "directional_snr",
    "exact_moments",
    "grad_moments",
    "normal_quadrature",
    "paired_bias",
    "replay",
    "sample_space",
]
