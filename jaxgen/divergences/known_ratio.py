"""An f-divergence from the exact log density ratio, at samples of both sides."""

from __future__ import annotations

import jax
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxgen.divergences.f_divergence import FDivergence
from jaxgen.divergences.sample_terms import SampleTerms
from jaxgen.numerics import one_per_sample


def divergence_of_log_ratios(
    ratios_p: Float[ArrayLike, "n"], ratios_q: Float[ArrayLike, "m"], divergence: FDivergence
) -> SampleTerms:
    """Returns terms whose `.value` is unbiased for D_f(p || q), given r = log p/q at samples.

    With m = (p + q) / 2, D_f = E_m[q/m f(p/q)] = 1/2 E_p[t(r)] + 1/2 E_q[t(r)]. There t(r) = 2
    sigmoid(-r) f(e^r) is bounded for Jensen-Shannon, Hellinger and total variation, and near 2 |r|
    for KL and Jeffrey; but it grows as e^|r| for Pearson and Neyman, of which the spread of a few
    terms then says nothing.

    Args:
      ratios_p: at samples of p, in nats, within ±80 in float32.
      ratios_q: at samples of q.
    Raises:
      ValueError: the ratios are no vectors of one number or more.
    Example:
      >>> p, q = distrax.Normal(0.0, 1.0), distrax.Normal(1.0, 1.0)
      >>> xs, ys = p.sample(seed=0, sample_shape=5000), q.sample(seed=1, sample_shape=5000)
      >>> ratios = (p.log_prob(at) - q.log_prob(at) for at in (xs, ys))
      >>> float(divergence_of_log_ratios(*ratios, DIVERGENCES["kl"]).value)  # 1/2, up to .02
      0.5
    """

    ratios_p = one_per_sample("ratios_p", ratios_p)
    ratios_q = one_per_sample("ratios_q", ratios_q)

    def t(r: Array) -> Array:
        # f(u) = u f'(u) - f*(f'(u)), in the stable forms of a critic's bound.
        of_p = jax.nn.sigmoid(r) * divergence.canonical(r)
        return 2 * (of_p - jax.nn.sigmoid(-r) * divergence.canonical_conjugate(r))

    return SampleTerms(t(ratios_p) / 2, -t(ratios_q) / 2)
