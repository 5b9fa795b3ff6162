"""Thermodynamic bounds: log p(x) as an integral of E[log w] on a path from q to the posterior."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.bounds.base import Bound
from jaxgen.numerics import normalized
from jaxgen.types import Scalar
from jaxgen.values import known_by_call


@known_by_call
def thermodynamic_lower_bound(betas: Sequence[float] = (0.1,)) -> Bound:
    """Returns the left sum of log p(x) = int_0^1 E_b[log w] db, E_b under q(z) w(z)^b, in nats.

    E_b[log w] grows with b, from the ELBO at 0, so the left sum lies below the integral and the
    right one above it: see `thermodynamic_upper_bound`. From K samples, E_b is a mean with the
    normalized weights w^b: it misses its limit by O(1/K).

    Args:
      betas: the inner points, between 0 and 1 and rising; without any it is the ELBO.
    Raises:
      ValueError: betas do not rise from above 0 to below 1.
    Example:
      >>> log_weights = jnp.log(jnp.array([1.0, 3.0]))  # of one datapoint
      >>> float(thermodynamic_lower_bound((0.5,))(log_weights))
      0.623
    Source: Masrani et al. (2019), equation 5.
    """
    points = _points(betas)
    return _riemann_sum("thermodynamic lower", points[:-1], points)


@known_by_call
def thermodynamic_upper_bound(betas: Sequence[float] = (0.1,)) -> Bound:
    """Returns the right sum of log p(x) = int_0^1 E_b[log w] db, E_b under q(z) w(z)^b, in nats.

    Above log p(x) in the limit of many samples; of few, it may lie below. Without inner points it
    is E[log w] under the posterior.

    Args:
      betas: the inner points, between 0 and 1 and rising.
    Raises:
      ValueError: betas do not rise from above 0 to below 1.
    Example:
      >>> log_weights = jnp.log(jnp.array([1.0, 3.0]))  # of one datapoint
      >>> float(thermodynamic_upper_bound(())(log_weights))  # 3/4 log 3
      0.824
    Source: Masrani et al. (2019), section 3.
    """
    points = _points(betas)
    return _riemann_sum("thermodynamic upper", points[1:], points)


def _points(betas: Sequence[float]) -> tuple[float, ...]:
    points = (0.0, *(float(beta) for beta in betas), 1.0)
    if not all(a < b for a, b in itertools.pairwise(points)):
        raise ValueError(f"betas: got {betas}, expected numbers that rise between 0 and 1")
    return points


def _riemann_sum(name: str, at: tuple[float, ...], points: tuple[float, ...]) -> Bound:
    terms = [(b - a, beta) for (a, b), beta in zip(itertools.pairwise(points), at, strict=True)]

    def value(log_weights: Float[Array, "samples"]) -> Scalar:
        none = jnp.all(log_weights == -jnp.inf)
        logs = jnp.where(none, 0.0, log_weights)
        means = [width * jnp.sum(_tilted(logs, beta)[1]) for width, beta in terms]
        return jnp.where(none, -jnp.inf, jnp.sum(jnp.stack(means)))

    def path_weights(log_weights: Float[Array, "samples"]) -> Float[Array, "samples"]:
        total = jnp.zeros_like(log_weights)
        for width, beta in terms:
            v, products = _tilted(log_weights, beta)
            slopes = v + beta * (products - v * jnp.sum(products))
            curvatures = beta * ((1 - v) * slopes + v * (1 - slopes))
            total = total + width * (slopes - curvatures)
        return jnp.where(jnp.all(jnp.isfinite(total)), total, 0.0)

    inner = ", ".join(f"{beta:g}" for beta in points[1:-1])
    return Bound(f"{name}({inner})", value, path_weights, linear=at == (0.0,))


def _tilted(
    log_weights: Float[Array, "samples"], beta: float
) -> tuple[Float[Array, "samples"], Float[Array, "samples"]]:
    """Returns the normalized v of w^beta, and v log w, which is zero where w^beta is."""
    if beta == 0:
        v = jnp.full_like(log_weights, 1 / len(log_weights))
        return v, v * log_weights
    zero = log_weights == -jnp.inf
    v = normalized(beta * log_weights)
    return v, v * jnp.where(zero, 0.0, log_weights)
