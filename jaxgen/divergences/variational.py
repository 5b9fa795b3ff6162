"""Lower bounds on f-divergences from a critic's outputs, one term per sample."""

from __future__ import annotations

from jax.typing import ArrayLike
from jaxtyping import Float

from jaxgen.divergences.f_divergence import FDivergence
from jaxgen.divergences.sample_terms import SampleTerms
from jaxgen.numerics import one_per_sample


def variational_bound(
    v_p: Float[ArrayLike, "..."], v_q: Float[ArrayLike, "..."], divergence: FDivergence
) -> SampleTerms:
    """Returns g_c(v) at p's samples and h_c(v) at q's; `.value` bounds D_f(p || q) from below.

    Tight on average where v is the log density ratio log p/q, whichever the divergence. Of total
    variation the bound is a step in v, without a gradient: train with `activated_bound` there.

    Args:
      v_p: raw critic outputs at samples of p, the data: [n].
      v_q: at samples of q, the model: [m].
    Raises:
      ValueError: the outputs are no vectors ([batch, 1] is refused, not broadcast).
    Example:
      >>> v_real, v_fake = jnp.zeros(3), jnp.zeros(4)  # a critic that knows nothing
      >>> float(
      ...     variational_bound(v_real, v_fake, DIVERGENCES["kl"]).value
      ... )  # to be raised by the critic
      0.0
    Source: Nguyen et al. (2010), "Estimating divergence functionals and the likelihood ratio by
      convex risk minimization", equation 6; Nowozin et al. (2016), "f-GAN", equation 4.
    """
    v_p, v_q = one_per_sample("v_p", v_p), one_per_sample("v_q", v_q)
    return SampleTerms(divergence.canonical(v_p), divergence.canonical_conjugate(v_q))


def activated_bound(
    v_p: Float[ArrayLike, "..."], v_q: Float[ArrayLike, "..."], divergence: FDivergence
) -> SampleTerms:
    """Returns g(v) at p's samples and f*(g(v)) at q's, with the activations of f-GAN.

    As `variational_bound`, but the best v depends on the divergence: f'(p/q) = g(v).

    Args:
      v_p: raw critic outputs at samples of p, the data: [n].
      v_q: at samples of q, the model: [m].
    Raises:
      ValueError: the outputs are no vectors ([batch, 1] is refused, not broadcast).
    Example:
      >>> v_real, v_fake = jnp.full(3, 20.0), jnp.full(4, -20.0)  # a critic that knows all
      >>> float(activated_bound(v_real, v_fake, DIVERGENCES["total_variation"]).value)
      1.0
    Source: Nowozin et al. (2016), "f-GAN", equation 6 and table 6.
    """
    v_p, v_q = one_per_sample("v_p", v_p), one_per_sample("v_q", v_q)
    return SampleTerms(divergence.activation(v_p), divergence.activated_conjugate(v_q))
