"""log p(x) by averaging the likelihood over the prior: right in theory."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.estimators import evaluate
from jaxgen.types import Distribution, Key


def log_prior_weights(
    key: Key, log_likelihood: Callable[[Array], Array], prior: Distribution, num_samples: int
) -> Float[Array, "samples"]:
    """Returns log p(x|z_k) for `num_samples` draws from the prior, of one datapoint, in nats.

    The log weights of importance sampling with the prior as q. `IWAE(log_weights)` is naive Monte
    Carlo's log p(x): unbiased before the log, yet of a variance that grows exponentially with the
    information that x carries about z.

    Args:
      log_likelihood: z to log p(x|z), in nats, for the one x at hand.
      prior: p(z).
      num_samples: K.
    Raises:
      ValueError: num_samples is below one; log_likelihood does not return one number.
    Example:
      >>> log_likelihood = lambda z: distrax.Normal(z, 1.0).log_prob(2.0)  # of x = 2
      >>> prior = distrax.Normal(0.0, 1.0)
      >>> IWAE(log_prior_weights(jax.random.key(0), log_likelihood, prior, 10_000))  # -2.266
      Array(-2.3, dtype=float32)
    """
    num_samples = at_least("num_samples", num_samples, 1)
    return evaluate(log_likelihood, prior.sample(seed=key, sample_shape=(num_samples,)))
