"""Sharper or flatter samples: what a net says of each entry, at a temperature."""

from __future__ import annotations

from jaxtyping import Array

from jaxgen.checks import positive
from jaxgen.distributions import Independent
from jaxgen.models.likelihoods import Likelihood
from jaxgen.types import Scalar


def tempered(head: Likelihood, temperature: float | Scalar) -> Likelihood:
    """Returns the likelihood of each entry to the power 1/temperature, normalized.

    Below one the likeliest levels become likelier: an autoregressive model with such a head draws
    neater samples, fewer of them different, and is a worse model of the data it was fitted to. Each
    entry has its own normalizer, so that the whole is no power of the whole.

    Args:
      head: whose numbers are logits: `LIKELIHOODS["bernoulli"]` or `categorical(levels)`.
      temperature: one changes nothing.
    Raises:
      ValueError: temperature is not positive; in use, what the head says has no logits.
    Example:
      >>> head = tempered(LIKELIHOODS["bernoulli"], temperature=0.5)
      >>> p = head.distribution(jnp.ones((1, 1)))
      >>> print(p.mean())  # sigmoid(1 / .5)
      [0.8808]
    Source: Ackley et al. (1985), "A learning algorithm for Boltzmann machines".
    """
    positive("temperature", temperature)

    def distribution(outputs: Array) -> Independent:
        p = head.distribution(outputs / temperature)
        if not hasattr(p.distribution, "logits"):
            kind = type(p.distribution).__name__
            raise ValueError(f"head: got one of {kind}, expected one whose numbers are logits")
        return p

    return head._replace(distribution=distribution)
