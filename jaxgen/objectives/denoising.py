"""The denoising regularizer of amortized inference: an encoder that has to bear noise is smooth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, Float

from jaxgen.estimators import Estimator
from jaxgen.objectives.elbo import KL, ElboTerms, analytic_kl, elbo
from jaxgen.types import Distribution, Key

Corruption = Callable[[Key, Array], Array]
"""`(key, x) -> x` as the encoder is to see it."""


def denoising_elbo(
    key: Key,
    log_likelihood: Callable[[Array], Array],
    encode: Callable[[Array], Distribution],
    x: Float[Array, "..."],
    prior: Distribution,
    corrupt: Corruption,
    *,
    kl: KL = analytic_kl,
    estimator: Estimator | None = None,
) -> ElboTerms:
    """Returns the terms of x's ELBO under the posterior inferred from a corrupted x.

    Any q bounds log p(x), so this is a bound as well, of x itself: only the encoder sees the noise,
    a fresh draw at each use. For an exponential-family q the best encoder is an average of the
    posteriors' parameters over nearby x, the wider the more noise there is: one that cannot fit
    each training point by itself. Evaluate with `elbo`.

    Args:
      log_likelihood: z to log p(x|z), in nats, for the x at hand.
      encode: x to q(z|x).
      x: one datapoint.
      prior: p(z).
      corrupt: adds noise to x, normal noise in the paper.
      kl, estimator: as in `elbo`.
    Raises:
      ValueError: as `elbo`, or the corruption changes the shape of x.
    Example:
      >>> corrupt = lambda key, x: x + 0.2 * jax.random.normal(key, x.shape)
      >>> encode, x, prior = (
      ...     lambda x: distrax.Normal(x / 2, 1.0),
      ...     jnp.float32(2.0),
      ...     distrax.Normal(0.0, 1.0),
      ... )
      >>> log_likelihood = lambda z: distrax.Normal(z, 1.0).log_prob(x)
      >>> terms = denoising_elbo(jax.random.key(0), log_likelihood, encode, x, prior, corrupt)
      >>> loss = -terms.elbo
    Source: Shu et al. (2018), section 3.
    """
    key_noise, key_elbo = jax.random.split(key)
    corrupted: Any = corrupt(key_noise, x)
    if corrupted.shape != x.shape:
        raise ValueError(f"corrupt: got shape {corrupted.shape}, expected that of x, {x.shape}")
    q = encode(corrupted)
    return elbo(key_elbo, log_likelihood, q, prior, kl=kl, estimator=estimator)
