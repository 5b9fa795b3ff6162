"""How much of the latent space a model uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import distrax
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from jaxgen.array_checks import of_shape
from jaxgen.numerics import at_least_float32, log_mean_exp
from jaxgen.types import DistraxDistribution, Scalar


def active_units(
    posterior_means: Float[ArrayLike, "..."], threshold: float = 0.01
) -> Bool[Array, "latent"]:
    """Returns, per latent dimension, whether Var_x(E_q[z|x]) exceeds `threshold`.

    Args:
      posterior_means: E_q[z|x], [n, latent], one row per datapoint.
      threshold: on the variance over datapoints.
    Raises:
      ValueError: posterior_means is not a matrix of at least two rows.
    Example:
      >>> means = jnp.array([[-1.0, 0.0], [1.0, 0.0]])  # E_q[z|x] of two datapoints
      >>> active_units(means).tolist()
      [True, False]
    Source: Burda et al. (2016), section 4.
    """
    posterior_means = at_least_float32("posterior_means", posterior_means)
    if posterior_means.ndim != 2 or len(posterior_means) < 2:
        raise ValueError(
            f"posterior_means: got shape {posterior_means.shape}, expected (n >= 2, latent)"
        )
    return jnp.var(posterior_means, axis=0) > threshold


def kl_per_dimension(q: DistraxDistribution, prior: DistraxDistribution) -> Float[Array, "latent"]:
    """Returns KL(q || prior) of one datapoint before it is summed over dimensions, in nats.

    Args:
      q: a posterior whose dimensions are independent.
      prior: likewise.
    Raises:
      ValueError: the dimensions of q or of the prior are not independent (a flow, a mixture), or
        the two differ in their number.
    Example:
      >>> q = distrax.Independent(distrax.Normal(jnp.array([0.0, 2.0]), jnp.ones(2)), 1)
      >>> prior = distrax.Independent(distrax.Normal(jnp.zeros(2), jnp.ones(2)), 1)
      >>> kl_per_dimension(q, prior).tolist()  # 0, and 2² / 2
      [0.0, 2.0]
    """
    q_each, prior_each = (_per_dimension(name, p) for name, p in (("q", q), ("prior", prior)))
    if q.event_shape != prior.event_shape:
        raise ValueError(
            f"prior: got event shape {prior.event_shape}, expected that of q, {q.event_shape}"
        )
    return jnp.asarray(q_each.kl_divergence(prior_each))


def _per_dimension(name: str, p: DistraxDistribution) -> distrax.Distribution:
    if not isinstance(p, distrax.Independent):
        raise ValueError(f"{name}: got a {type(p).__name__}, expected a distrax.Independent")
    return p.distribution


def latent_information(
    latents: Float[Array, "n ..."], log_q: Callable[[Array], Float[Array, "m"]]
) -> Float[Array, "n"]:
    """Returns log q(z_i|x_i) - log 1/m sum_j q(z_i|x_j), whose mean estimates I_q(x; z).

    If the m datapoints are all there are, and n = m, the mean is unbiased for the information, in
    nats, about which of them z came from. If they are draws from more, it is a lower bound on
    average, and never above log m: to measure much information takes many datapoints. The mean
    KL(q(z|x) || p(z)) less it is KL(q(z) || p(z)) of the aggregate posterior.

    Args:
      latents: z_i ~ q(z|x_i), one of each of the first n datapoints.
      log_q: z to log q(z|x_j) for each of the m >= n datapoints, in nats.
    Raises:
      ValueError: log_q does not return one number for each of n datapoints or more, or there is no
        latent.
    Example:
      >>> qs = distrax.Independent(distrax.Normal(jnp.array([[-9.0], [9.0]]), jnp.ones((2, 1))), 1)
      >>> latents = qs.sample(seed=jax.random.key(0))
      >>> float(latent_information(latents, qs.log_prob).mean())  # which of two it is: log 2
      0.6931
    Source: Hoffman & Johnson (2016), equations 5 and 6.
    """

    latents = jnp.asarray(latents)
    if not latents.size:
        raise ValueError(f"latents: got shape {latents.shape}, expected (n >= 1, ...)")

    def one(indexed: tuple[Array, Array]) -> Array:
        index, z = indexed
        log_densities = log_q(z)
        if log_densities.ndim != 1 or len(log_densities) < len(latents):
            raise ValueError(
                f"log_q: got shape {log_densities.shape}, expected (m >= {len(latents)},), one "
                "number per datapoint"
            )
        return log_densities[index] - log_mean_exp(log_densities, axis=0)

    return jax.lax.map(one, (jnp.arange(len(latents)), latents), batch_size=100)


class RateTerms(NamedTuple):
    """What a rate consists of, each a mean over datapoints, in nats.

    Attributes:
      rate: E_x KL(q(z|x) || p(z)), the sum of the two.
      information: I_q(x; z), what z says of which datapoint it came from.
      mismatch: KL(q(z) || p(z)), of the aggregate posterior q(z) = E_x q(z|x).
    Example:
      >>> terms = RateTerms(rate=2.0, information=1.5, mismatch=0.5)
      >>> terms.rate == terms.information + terms.mismatch
      True
    """

    rate: Scalar
    information: Scalar
    mismatch: Scalar


def rate_terms(
    latents: Float[Array, "n ..."],
    qs: DistraxDistribution,
    prior: DistraxDistribution,
    log_q: Callable[[Array], Float[Array, "m"]] | None = None,
) -> RateTerms:
    """Returns E_x KL(q(z|x) || p(z)) = I_q(x; z) + KL(q(z) || p(z)), part by part.

    The information is cut off at the log of the number of posteriors in q(z), see
    `latent_information`; what it lacks then, the mismatch has too much.

    Args:
      latents: z_i ~ q(z|x_i), one of each of n datapoints.
      qs: their posteriors, as one batch.
      prior: p(z), whose KL from q is known in closed form.
      log_q: z to log q(z|x_j) for each of the m >= n datapoints of q(z), these n first; theirs
        alone by default.
    Raises:
      ValueError: latents are not one of each posterior, or log_q does not return one number for
        each of n datapoints or more.
    Example:
      >>> prior = distrax.Independent(distrax.Normal(jnp.zeros(1), jnp.ones(1)), 1)
      >>> qs = distrax.Independent(distrax.Normal(jnp.full((3, 1), 2.0), jnp.ones((3, 1))), 1)
      >>> terms = rate_terms(qs.sample(seed=jax.random.key(0)), qs, prior)
      >>> float(terms.information), float(terms.mismatch)  # z says nothing of x; 2² / 2
      (0.0, 2.0)
    Source: Hoffman & Johnson (2016), ELBO surgery, equations 5 and 6.
    """
    of_shape("latents", latents, (*qs.batch_shape, *qs.event_shape))
    information = jnp.mean(latent_information(latents, qs.log_prob if log_q is None else log_q))
    rate = jnp.mean(qs.kl_divergence(prior))
    return RateTerms(rate, information, rate - information)
