"""RODEO: leave-one-out with learned control variates, made of one bit turned at a time."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Integrand, check_state
from jaxgen.estimators.control_variates.baselines import of_others
from jaxgen.estimators.discrete import bernoulli_logits
from jaxgen.estimators.evaluation import finite, with_gradient, with_slopes
from jaxgen.estimators.held import without_score
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call


@struct.dataclass
class RodeoState:
    """What the control variates learn: arrays, or their shapes or shardings.

    Attributes:
      alpha, beta: their weights, in the baseline and in the gradient; zero is leave-one-out.
      inner: weights and biases of the hidden units, [3, hidden], of f, of the rise and of one.
      outer: [hidden + 1, 2], the two h of the hidden units and of one.
    Example:
      >>> rodeo(2).init(jax.random.key(0), distrax.Bernoulli(0.3)).inner.shape
      (3, 100)
    """

    alpha: Any
    beta: Any
    inner: Any
    outer: Any


@known_by_call
def rodeo(num_samples: int = 2, *, hidden: int = 100) -> Estimator:
    """Returns the estimator 1/S sum_s (f(b_s) - B_s) (b_s - m) + beta A[h'_s (b - m)], d in logits.

    B_s is the mean of f + alpha A[h] over the other samples, and A[h](b) the mean over the bits i
    of q(turned b_i) (h(b with b_i turned) - h(b)), whose expectation under q is zero for any h. So
    the estimator is unbiased for any h_s that does not see b_s: the mean, over the other samples r,
    of a network of f(b_r) and of the rise f'(b_r) (b - b_r) that they foretell. Network, alpha and
    beta are learned by lowering `control_loss`, the squared norm of the estimate. They cost no
    evaluations. f sees floats, 0 or 1, and must have a slope there. At two on eight coupled bits,
    with 20 units after 1,000 steps of learning, its variance is .132, that of double control
    variates .238, DisARM's .437 and RLOO's .540 (+-2%).

    Args:
      num_samples: S, draws of b and evaluations of f, with its slope, per call.
      hidden: units of the network, which is evaluated at every bit of every pair of samples.
    Raises:
      ValueError: num_samples is below two or hidden below one; q is not Bernoulli; the state is ().
    Example:
      >>> f, q = lambda b: (b - 0.45) ** 2, distrax.Bernoulli(0.3)
      >>> estimator, key = rodeo(2), jax.random.key(0)
      >>> value, estimate = estimator.apply(estimator.init(key, q), key, f, q)
      >>> estimate.control_loss  # what `jaxgen.train.estimator_step` lowers
    Source: Shi et al. (2022).
    """
    num_samples = at_least("num_samples", num_samples, 2)
    hidden = at_least("hidden", hidden, 1)

    def init(key: Key, q: Distribution, context: Any = None) -> RodeoState:
        key_inner, key_outer = jax.random.split(key)
        inner = jax.random.normal(key_inner, (3, hidden)) / jnp.sqrt(3.0)
        outer = jax.random.normal(key_outer, (hidden + 1, 2)) / jnp.sqrt(hidden + 1.0)
        zero = jnp.zeros(())
        return RodeoState(alpha=zero, beta=zero, inner=inner.at[2].set(0.0), outer=outer)

    def apply(
        state: Any, key: Key, f: Integrand, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        logits = bernoulli_logits(q)
        check_state(state, init, q, context)
        mean = jax.nn.sigmoid(jax.lax.stop_gradient(logits))
        b = jax.random.bernoulli(key, mean, (num_samples, *mean.shape)).astype(mean.dtype)
        values, slopes = with_slopes(without_score(f, q), b)
        seen = jax.lax.stop_gradient(values)

        def squared_norm(state: RodeoState) -> tuple[Scalar, Array]:
            flat = b.reshape(num_samples, -1), slopes.reshape(num_samples, -1)
            grad = estimate(state, *flat, seen, mean.reshape(-1))
            return jnp.sum(grad**2), grad.reshape(mean.shape)

        (moment, grad), signal = jax.value_and_grad(squared_norm, has_aux=True)(state)
        surrogate = with_gradient(jnp.mean(values), grad, logits)
        return surrogate, Estimate(
            seen,
            finite(q, values, grad, jax.lax.stop_gradient(logits)),
            control_loss=with_gradient(jax.lax.stop_gradient(moment), signal, state),
        )

    return Estimator(
        name="rodeo",
        apply=apply,
        unbiased=True,
        accepts="Bernoulli",
        evaluations=num_samples,
        init=init,
    )


def estimate(
    state: RodeoState,
    b: Float[Array, "samples bits"],
    slopes: Float[Array, "samples bits"],
    values: Float[Array, "samples"],
    mean: Float[Array, "bits"],
) -> Float[Array, "bits"]:
    """Returns the estimate of the gradient in the logits, from the samples and f at each."""
    here, there = foretold(state, b, slopes, values)  # [S, 2] and [S, bits, 2]
    turn, score = 1 - 2 * b, b - mean
    odds = jnp.abs(score) / b.shape[1]  # q(turned b_i), in the mean over bits
    change = jnp.sum(odds[..., None] * (there - here[:, None]), axis=1)
    # The score where bit i is turned is score + turn_i e_i.
    in_gradient = change[:, 1:] * score + odds * there[..., 1] * turn
    gains = values - of_others(values + state.alpha * change[:, 0])
    return jnp.mean(gains[:, None] * score + state.beta * in_gradient, axis=0)


def foretold(
    state: RodeoState,
    b: Float[Array, "samples bits"],
    slopes: Float[Array, "samples bits"],
    values: Float[Array, "samples"],
) -> tuple[Float[Array, "samples 2"], Float[Array, "samples bits 2"]]:
    """Returns the two h_s at b_s, and with each of its bits turned, from the other samples."""
    exact = jax.lax.Precision.HIGHEST
    rise = jnp.matmul(b, slopes.T, precision=exact) - jnp.sum(b * slopes, axis=1)  # [s, r]
    turned = rise[..., None] + slopes * (1 - 2 * b)[:, None]  # [s, r, bits]
    rises = jnp.concatenate([rise[..., None], turned], axis=-1)

    weight_f, weight_rise, bias = state.inner
    units = (values[:, None] * weight_f)[:, None] + rises[..., None] * weight_rise + bias
    units = jax.nn.leaky_relu(units, 0.3)  # [s, r, 1 + bits, hidden]
    h = jnp.matmul(units, state.outer[:-1], precision=exact) + state.outer[-1]
    other = (1 - jnp.eye(len(b), dtype=h.dtype)) / (len(b) - 1)
    of_all = jnp.einsum("sr,srkh->skh", other, h, precision=exact)
    return of_all[:, 0], of_all[:, 1:]
