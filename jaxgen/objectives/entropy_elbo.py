"""The ELBO as expected energy and entropy, E_q[log p(x, z)] + H[q]."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Array

from jaxgen.array_checks import one_distribution
from jaxgen.estimators import Estimator
from jaxgen.objectives.elbo import of_expectation
from jaxgen.types import Distribution, Key, Scalar


class EntropyTerms(NamedTuple):
    """The two terms of one datapoint's ELBO, in nats; their sum is the bound.

    Attributes:
      log_joint: E_q[log p(x, z)].
      entropy: H[q] = -E_q[log q(z|x)].
    Example:
      >>> EntropyTerms(log_joint=jnp.float32(-100.0), entropy=jnp.float32(3.0)).elbo
      Array(-97., dtype=float32)
    """

    log_joint: Scalar
    entropy: Scalar

    @property
    def elbo(self) -> Scalar:
        """The bound itself."""
        return self.log_joint + self.entropy


@runtime_checkable
class WithEntropy(Distribution, Protocol):
    """A distribution that knows its entropy."""

    def entropy(self) -> Any:
        """In nats."""
        ...


def entropy_elbo(
    key: Key,
    log_joint: Callable[[Array], Array],
    q: WithEntropy,
    *,
    estimator: Estimator | None = None,
) -> EntropyTerms:
    """Returns the ELBO of one datapoint with the entropy in closed form.

    For a joint that does not split into likelihood and prior (an undirected or unnormalized model);
    else `elbo` has the less noisy KL, and `ELBO(log_importance_weights(...))` asks no closed form.

    Args:
      log_joint: z to log p(x, z), in nats, for the one x at hand.
      q: the posterior q(z|x), a distrax distribution or anything else with `entropy`.
      estimator: a stateless estimator of the gradient of E_q; `pathwise()`, one sample, by default.
    Raises:
      ValueError: the estimator is of a multi-sample bound, as `vimco` is; q is a batch of
        distributions, not one.
      NotImplementedError: q's entropy has no closed form in distrax.
    Example:
      >>> log_joint = lambda z: -(z**2) / 2  # unnormalized: its integral is sqrt(2 pi)
      >>> q = distrax.Normal(0.0, 1.0)
      >>> entropy_elbo(jax.random.key(0), log_joint, q, estimator=pathwise(10_000)).elbo
      Array(0.9, dtype=float32)
    Source: Jordan et al. (1999), section 4.
    """
    estimator = of_expectation(estimator)
    one_distribution(q)
    return EntropyTerms(estimator.apply((), key, log_joint, q)[0], q.entropy())
