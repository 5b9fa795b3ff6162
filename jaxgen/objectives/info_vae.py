"""InfoVAE: the rate and the mismatch of the aggregate posterior, weighed apart."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Num

from jaxgen.array_checks import of_shape
from jaxgen.divergences import Kernel, mmd_unbiased
from jaxgen.objectives.elbo import ElboTerms


def aggregate_mmd(
    latents: Float[Array, "n ..."], prior_samples: Float[Array, "m ..."], kernel: Kernel
) -> Float[Array, "n"]:
    """Returns one value per datapoint whose mean is the unbiased squared MMD(q(z), p(z)).

    q(z) = E_x q(z|x) is known by its samples alone, one of every datapoint of the batch. The value
    of datapoint i is the witness at z_i, mean_j≠i k(z_i, z_j) - mean_j k(z_i, y_j), less the
    witness's mean over the prior: what z_i adds to the mismatch. Its gradient is the whole one: the
    mean's is that of MMD², and a single value's reaches the other datapoints' latents too.

    Args:
      latents: z_i ~ q(z|x_i), one of each datapoint.
      prior_samples: y_j ~ p(z), of the same shape; as many or not.
      kernel: such as `inverse_multiquadric(1.0)`; its bandwidth goes with the prior's scale.
    Raises:
      ValueError: fewer than two samples of either, or of unlike shapes.
    Example:
      >>> key_z, key_prior = jax.random.split(jax.random.key(0))
      >>> zs = 3.0 + jax.random.normal(key_z, (50, 2))  # far from the prior
      >>> prior_samples = jax.random.normal(key_prior, (50, 2))
      >>> divergence = aggregate_mmd(zs, prior_samples, inverse_multiquadric(1.0))
      >>> jnp.mean(divergence)
      Array(0.6, dtype=float32)
    Source: Zhao et al. (2019), the MMD form; Gretton et al. (2012), equation 3.
    """
    terms = mmd_unbiased(latents, prior_samples, kernel)
    return terms.p - jnp.mean(terms.q)


def info_elbo(
    terms: ElboTerms,
    divergence: Float[Array, "..."],
    *,
    alpha: Num[ArrayLike, ""],
    weight: Num[ArrayLike, ""],
) -> Float[Array, "..."]:
    """Returns reconstruction - (1 - alpha) KL - (alpha + weight - 1) D, per datapoint, to climb.

    The ELBO's KL is a mutual information and a mismatch: E_x KL(q(z|x) || p) = I_q(x; z) +
    KL(q(z) || p). Here alpha of the information costs nothing, and the mismatch, by another
    divergence D, has the weight lambda in all.

    alpha = 0 and weight = 1 is the ELBO; alpha = 1, with no KL at all, the MMD-VAE and, for a
    deterministic encoder, the Wasserstein autoencoder.

    Args:
      terms: of the ELBO, per datapoint, in nats.
      divergence: D(q(z), p(z)) as one value per datapoint, as `aggregate_mmd` gives.
      alpha: part of the mutual information that is free; at most one.
      weight: lambda, of the mismatch; alpha + lambda is one at least. Zhao et al. take 1,000 on
        MNIST, to bring a squared MMD, which is below two, to the size of nats.
    Raises:
      ValueError: the terms and the divergence differ in shape; alpha is a number above one, or
        alpha + weight one below one: a term would be climbed that is to fall.
    Example:
      >>> terms = ElboTerms(jnp.array([-90.0]), jnp.array([25.0]))
      >>> info_elbo(terms, jnp.array([0.1]), alpha=0.0, weight=1.0)  # the ELBO
      Array([-115.], dtype=float32)
      >>> info_elbo(terms, jnp.array([0.1]), alpha=1.0, weight=100.0)  # the MMD-VAE
      Array([-100.], dtype=float32)
    Source: Zhao et al. (2019), the objective of section 3.
    """
    of_shape("terms.kl", terms.kl, jnp.shape(terms.reconstruction))
    of_shape("divergence", divergence, jnp.shape(terms.reconstruction))
    if isinstance(alpha, int | float | np.number) and not alpha <= 1:
        raise ValueError(f"alpha: got {alpha}, expected a number <= 1")
    if isinstance(least := alpha + weight, int | float | np.number) and not least >= 1:
        raise ValueError(f"weight: got {weight} with alpha {alpha}, expected a number >= 1 - alpha")
    return terms.reconstruction - (1 - alpha) * terms.kl - (alpha + weight - 1) * divergence
