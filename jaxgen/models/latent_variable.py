"""What every model with a latent variable and an amortized posterior consists of."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import jax
from jaxtyping import Array, Float

from jaxgen.array_checks import arrays, of_shape
from jaxgen.types import DistraxDistribution, Distribution, Key, Params, Scalar


class Conditional(Protocol):
    """A distribution given one datapoint or one latent."""

    def __call__(
        self, params: Params, given: Array, /, *, key: Key | None = None
    ) -> DistraxDistribution:
        """Returns it; a key means training, and is what dropout in the nets draws from."""
        ...


class LatentVariableModel(NamedTuple):
    """p(x, z) = p(z) p(x|z) and q(z|x), as pure functions over `params`, each for one datapoint.

    Attributes:
      init: `key -> params`.
      prior: `params -> p(z)`.
      encode: `(params, x, key=None) -> q(z|x)`, amortized.
      decode: `(params, z, key=None) -> p(x|z)`.
    Example:
      >>> def bernoulli(logits):
      ...     return Independent(Bernoulli(logits), 1)
      >>> model = gaussian_vae(
      ...     MLP((), (2, 3)), MLP((), (4,)), bernoulli, latent_size=3, x_shape=(4,)
      ... )
      >>> params = model.init(jax.random.key(0))
      >>> z = model.prior(params).sample(seed=jax.random.key(1))
      >>> model.decode(params, z).sample(seed=jax.random.key(2)).shape
      (4,)
    """

    init: Callable[[Key], Params]
    prior: Callable[[Params], DistraxDistribution]
    encode: Conditional
    decode: Conditional


class LogWeight(Protocol):
    """log p(x, z) - log q(z)."""

    def __call__(self, z: Array, q: Distribution = ..., prior: Distribution = ...) -> Scalar:
        """Returns it in nats; q and the prior stand in the arguments so that a gradient can hold
        them still."""
        ...


class Observed(NamedTuple):
    """One datapoint under a model: all that a bound, an estimator or a metric asks of it.

    Attributes:
      prior: p(z).
      q: q(z|x).
      log_likelihood: z to log p(x|z), in nats.
      log_joint: z to log p(x, z), in nats.
      log_weight: `(z, q=q, prior=prior)` to log p(x, z) - log q(z), in nats: the f of every
        estimator, some of which call it with a q or a prior of their own.
    Example:
      >>> def bernoulli(logits):
      ...     return Independent(Bernoulli(logits), 1)
      >>> model = gaussian_vae(
      ...     MLP((), (2, 3)), MLP((), (4,)), bernoulli, latent_size=3, x_shape=(4,)
      ... )
      >>> at = observe(model, model.init(jax.random.key(0)), jnp.ones(4))
      >>> z = at.q.sample(seed=jax.random.key(1))
      >>> bool(jnp.isclose(at.log_weight(z), at.log_joint(z) - at.q.log_prob(z)))
      True
    """

    prior: DistraxDistribution
    q: DistraxDistribution
    log_likelihood: Callable[[Array], Scalar]
    log_joint: Callable[[Array], Scalar]
    log_weight: LogWeight


def observe(
    model: LatentVariableModel,
    params: Params,
    x: Float[Array, "..."],
    *,
    key: Key | None = None,
) -> Observed:
    """Returns what one datapoint x says under the model.

    Args:
      model: any.
      params: its own.
      x: one datapoint; `jax.vmap` over a batch.
      key: in training, for nets with dropout: one mask each for the encoder and the decoder, the
        decoder's the same at every z. Without a key nothing is dropped.
    Raises:
      ValueError: x or z has another shape than the model's.
    Example:
      >>> def bernoulli(logits):
      ...     return Independent(Bernoulli(logits), 1)
      >>> model = gaussian_vae(
      ...     MLP((), (2, 3)), MLP((), (4,)), bernoulli, latent_size=3, x_shape=(4,)
      ... )
      >>> params = model.init(jax.random.key(0))
      >>> at = observe(model, params, jnp.ones(4))
      >>> terms = elbo(jax.random.key(1), at.log_likelihood, at.q, at.prior)
      >>> bound = importance_weighted_bound(jax.random.key(1), at.log_joint, at.q, 5)
    """
    arrays("params", params)
    key_encoder, key_decoder = (None, None) if key is None else jax.random.split(key)
    prior = model.prior(params)
    # A model written without dropout need not know of keys.
    q = model.encode(params, x) if key is None else model.encode(params, x, key=key_encoder)

    def log_likelihood(z: Array) -> Scalar:
        p = model.decode(params, z) if key is None else model.decode(params, z, key=key_decoder)
        of_shape("x", x, getattr(p, "event_shape", x.shape))
        return p.log_prob(x)

    def log_joint(z: Array) -> Scalar:
        return log_likelihood(z) + prior.log_prob(z)

    def log_weight(z: Array, q: Distribution = q, prior: Distribution = prior) -> Scalar:
        return log_likelihood(z) + prior.log_prob(z) - q.log_prob(z)

    return Observed(prior, q, log_likelihood, log_joint, log_weight)
