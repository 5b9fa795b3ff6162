"""KL(p || q) in nats, from draws of a p that is known."""

from __future__ import annotations

from statistics import NormalDist
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxgen.checks import between_0_and_1
from jaxgen.numerics import all_finite
from jaxgen.types import Scalar


class KnownKL(NamedTuple):
    """How far a model's q is from the p that drew the images.

    Attributes:
      value: of KL(p || q) in nats: the model's NLL less the entropy, on the same images.
      lower: end of the interval for it, by the normal approximation.
      upper: its other end.
      stderr: of the value.
      p_value: of the claim that q is a distribution at all. Whatever distribution it is, the
        chance that it gives draws of p a likelihood so much larger than p's is at most this.
      all_finite: whether all of these are.
    Example:
      >>> kl = kl_from_draws(jnp.array([-90.0, -80.0, -85.0]), jnp.array([-92.0, -83.0, -89.0]))
      >>> kl.value, kl.lower, kl.upper  # nats: 3 give or take 1.96 / sqrt(3)
      (Array(3., dtype=float32), Array(1.87, dtype=float32), Array(4.13, dtype=float32))
    """

    value: Scalar
    lower: Scalar
    upper: Scalar
    stderr: Scalar
    p_value: Scalar
    all_finite: Bool[Array, ""]


def kl_from_draws(
    log_p: Float[Array, "n"], log_q: Float[Array, "n"], *, confidence: float = 0.95
) -> KnownKL:
    """Returns KL(p || q), from the log probabilities of draws of p under both.

    A lower bound on log q(x), as an ELBO is, makes it an upper bound on the KL; an upper bound on
    log q(x) a lower one. A value below zero beyond its interval is no KL: what was claimed as log
    q(x) sums to more than one over all images. Of that `p_value` needs no approximation: E_p[q/p]
    is at most one, so sum(log q - log p) is above b with probability at most exp(-b).

    Args:
      log_p: nats, of each draw.
      log_q: nats, as the model claims them.
      confidence: of the two-sided interval.
    Raises:
      ValueError: not two vectors of one length, two entries at least; confidence is not between 0
        and 1.
    Example:
      >>> log_p = jnp.array([-90.0, -80.0, -85.0])  # of draws of p
      >>> honest, boast = kl_from_draws(log_p, log_p - 1.0), kl_from_draws(log_p, log_p + 10.0)
      >>> honest.value, honest.p_value
      (Array(1., dtype=float32), Array(1., dtype=float32))
      >>> boast.value, bool(boast.p_value < 1e-9)  # no distribution claims so much
      (Array(-10., dtype=float32), True)
    Source: Markov's inequality, of the product of all ratios.
    """
    if log_p.ndim != 1 or log_p.shape != log_q.shape or len(log_p) < 2:
        raise ValueError(
            f"log_q: got shape {log_q.shape} beside {log_p.shape} of log_p, expected one number "
            "per draw for each, of two at least"
        )
    ratios = log_p - log_q
    value = jnp.mean(ratios)
    stderr = jnp.std(ratios, ddof=1) / jnp.sqrt(len(ratios))
    width = NormalDist().inv_cdf(0.5 + between_0_and_1("confidence", confidence) / 2) * stderr
    lower, upper = value - width, value + width
    p_value = jnp.exp(jnp.minimum(jnp.sum(ratios), 0.0))
    finite = all_finite((value, stderr))
    return KnownKL(value, lower, upper, stderr, p_value, finite)
