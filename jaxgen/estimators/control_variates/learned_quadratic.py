"""The pathwise gradient less that of a quadratic that is learned, whose expectation is known."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Integrand, check_state
from jaxgen.estimators.control_variates.quadratic import moments, quadratic_control
from jaxgen.estimators.evaluation import evaluate, finite, first_derivative_only
from jaxgen.estimators.free_parameters import free_parameters
from jaxgen.estimators.held import without_score
from jaxgen.estimators.pathwise import reparameterized_samples
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call


@struct.dataclass
class QuadraticState:
    """What the quadratic has learned; shapes or shardings in their place, too.

    Attributes:
      slope: [D], at the mean of q.
      diagonal: [D], of the curvature.
      factors: [D, rank], U of the curvature's other part, U diag(signs) U^T.
      signs: [rank].
    Example:
      >>> state = learned_quadratic().init(jax.random.key(0), distrax.Normal(0.0, 1.0))
      >>> state.curvature()
      Array([[0.]], dtype=float32)
    """

    slope: Any
    diagonal: Any
    factors: Any
    signs: Any

    def curvature(self) -> Float[Array, "d d"]:
        """Returns diag(diagonal) + U diag(signs) U^T."""
        low_rank = jnp.einsum(
            "ir,r,jr->ij", self.factors, self.signs, self.factors, precision="highest"
        )
        return jnp.diag(self.diagonal) + low_rank


@known_by_call
def learned_quadratic(num_samples: int = 1, *, rank: int = 4) -> Estimator:
    """Returns the estimator grad [1/S sum_s (f(z_s) - t(z_s)) + E_q t], z_s reparameterized,

        t(z) = b (z - m) + (z - m)^T B (z - m) / 2,   m the mean of q, held; b and B learned.

    E_q t is known from q's mean and covariance, so it is unbiased whatever b and B are. They lower
    `control_loss`, the square of the gradient in q's own parameters (mean and scale), which is its
    variance but for a constant. Nothing of f is asked but its slope at the samples, so it serves
    many latents, and an f that is far from its expansion at the mean. In an f with a parameter q,
    log q is held.

    Args:
      num_samples: S, draws of z and evaluations of f per call.
      rank: of B beside its diagonal.
    Raises:
      ValueError: num_samples is below one, rank below zero; q is not reparameterizable, or does not
        say its mean and its variance, or is no pytree of its parameters; the state is ().
    Example:
      >>> estimator, q = learned_quadratic(2), distrax.Normal(0.5, 1.0)
      >>> state = estimator.init(jax.random.key(0), q)
      >>> value, estimate = estimator.apply(state, jax.random.key(1), jnp.sin, q)
      >>> estimate.control_loss  # what `jaxgen.train.estimator_step` lowers
    Source: Geffner & Domke (2020).
    """
    num_samples = at_least("num_samples", num_samples, 1)
    rank = at_least("rank", rank, 0)

    def init(key: Key, q: Distribution, context: Any = None) -> QuadraticState:
        size = moments(q)[0].size
        factors = jax.random.normal(key, (size, rank)) / max(size, 1) ** 0.5
        return QuadraticState(jnp.zeros(size), jnp.zeros(size), factors, jnp.zeros(rank))

    def apply(
        state: Any, key: Key, f: Integrand, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        check_state(state, init, q, context)
        held = without_score(f, q)
        samples = reparameterized_samples(key, q, num_samples)
        values = evaluate(held, samples)
        learned = jax.lax.stop_gradient(state)
        control = quadratic_control(q, samples, learned.slope, learned.curvature())
        surrogate = jnp.mean(values) - control
        if held is not f:
            surrogate = first_derivative_only(surrogate, samples)
        z = jax.lax.stop_gradient(samples)
        slopes = jax.lax.stop_gradient(jax.grad(lambda z: jnp.mean(evaluate(held, z)))(z))
        params, rebuild = free_parameters(q)

        def noisy(params: dict[int, Array]) -> Scalar:
            at = rebuild(params)  # the gradient is q's estimate, as a function of the state
            z = at.sample(seed=jax.random.clone(key), sample_shape=(num_samples,))
            return jnp.sum(slopes * z) - quadratic_control(at, z, state.slope, state.curvature())

        gradient = jax.tree.leaves(jax.grad(noisy)(jax.lax.stop_gradient(params)))
        estimate = Estimate(
            jax.lax.stop_gradient(values),
            finite(q, values, slopes),
            control_loss=sum((jnp.sum(g**2) for g in gradient), start=jnp.zeros(())),
        )
        return surrogate, estimate

    return Estimator(
        name="learned quadratic",
        apply=apply,
        unbiased=True,
        accepts="any reparameterizable distribution with a mean and a variance",
        evaluations=num_samples,
        init=init,
    )
