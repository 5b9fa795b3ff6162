"""Measure-valued gradients: a derivative of q is a difference of two distributions."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import distrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from tensorflow_probability.substrates import jax as tfp

from jaxgen.checks import at_least
from jaxgen.estimators.base import Estimate, Estimator, Integrand
from jaxgen.estimators.discrete import innermost
from jaxgen.estimators.evaluation import evaluate, finite, with_gradient
from jaxgen.estimators.held import without_score
from jaxgen.numerics import at_least_float32
from jaxgen.types import Distribution, Key, Scalar
from jaxgen.values import known_by_call


class WeakDerivative(NamedTuple):
    """dE[f] / dparameter = constant (E[f(plus)] - E[f(minus)]), latent by latent.

    All have the shape of a sample and, but for `parameter`, a leading axis of samples. Latent i
    alone takes its `plus` or `minus`, the others stay; where `minus` is None it stays too.
    """

    parameter: Float[Array, "*event"]
    constant: Float[Array, "samples *event"]
    plus: Array
    minus: Array | None = None


@known_by_call
def measure_valued(num_samples: int = 1) -> Estimator:
    """Returns the estimator 1/S sum_s c_i (f(z_s with z_i = plus) - f(z_s with z_i = minus)).

    Unbiased for any f, with no derivative of f in z: the plus and minus of each latent are the two
    parts of the derivative of its density, drawn coupled. Independent latents only, the gradient of
    each parameter by itself; first derivatives only.

    Args:
      num_samples: S; of d latents each costs 1 + 3 d evaluations of f for a Gaussian (mean and
        scale), 1 + d for a Bernoulli or a Poisson.
    Raises:
      ValueError: num_samples is below one; q is no diagonal Gaussian, Bernoulli or Poisson.
    Example:
      >>> def loss(mean, key):
      ...     return measure_valued(8).apply((), key, lambda z: z**2, distrax.Normal(mean, 1.0))[0]
      >>> jax.grad(loss)(0.5, jax.random.key(0))  # exactly: 1
    Source: Mohamed et al. (2020), section 6.
    """
    num_samples = at_least("num_samples", num_samples, 1)

    def apply(
        state: Any, key: Key, f: Integrand, q: Distribution, context: Any = None
    ) -> tuple[Scalar, Estimate]:
        samples, derivatives = _draw(key, q, num_samples)
        f = without_score(f, q)
        values = evaluate(f, samples)
        surrogate, terms = jnp.mean(values), []
        for parameter, constant, plus, minus in derivatives:
            f_plus = _each_replaced(f, samples, plus)
            f_minus = values[:, None] if minus is None else _each_replaced(f, samples, minus)
            term = constant.reshape(num_samples, -1) * (f_plus - f_minus)
            grad = jnp.mean(term, axis=0).reshape(parameter.shape)
            surrogate = with_gradient(surrogate, grad, parameter)
            terms.append(term)
        return surrogate, jax.lax.stop_gradient(Estimate(values, finite(q, values, *terms)))

    def evaluations(q: Distribution) -> int:
        num_latents = jax.eval_shape(lambda: q.sample(seed=jax.random.key(0))).size
        return num_samples * (1 + (3 if _is_gaussian(innermost(q)) else 1) * num_latents)

    return Estimator(
        name="measure-valued",
        apply=apply,
        unbiased=True,
        accepts="a diagonal Gaussian, Bernoulli or Poisson",
        evaluations=evaluations,
    )


def _each_replaced(f: Integrand, samples: Array, other: Array) -> Float[Array, "samples latents"]:
    """f of each sample where latent i, and it alone, is taken from `other`."""
    num_samples, *event = samples.shape
    here, there = (x.reshape(num_samples, 1, -1) for x in (samples, other))
    replaced = jnp.where(jnp.eye(here.shape[-1], dtype=bool), there, here)
    return evaluate(f, replaced.reshape(-1, *event)).reshape(num_samples, -1)


def _is_gaussian(latent: Any) -> bool:
    return isinstance(latent, distrax.Normal | distrax.MultivariateNormalDiag)


def _draw(key: Key, q: Distribution, num_samples: int) -> tuple[Array, list[WeakDerivative]]:
    """Samples of q, and its derivatives coupled to them."""
    latent = innermost(q)
    if _is_gaussian(latent):
        scale = latent.scale if isinstance(latent, distrax.Normal) else latent.scale_diag
        loc, scale = (at_least_float32("q", jnp.asarray(x)) for x in (latent.loc, scale))
        return _gaussian(key, loc, scale, num_samples)
    if isinstance(latent, distrax.Bernoulli):  # dE/dp = f(1) - f(0): the sample and its flip
        z = q.sample(seed=key, sample_shape=(num_samples,))
        return z, [WeakDerivative(jnp.asarray(latent.probs), 1.0 - 2.0 * z, 1 - z)]
    if isinstance(latent, tfp.distributions.Poisson):  # dE/drate = E f(z + 1) - E f(z)
        rate = jnp.asarray(latent.mean())
        # Not q.sample, for TFP's sampler insists on float64.
        z = jax.random.poisson(key, rate, (num_samples, *rate.shape)).astype(rate.dtype)
        return z, [WeakDerivative(rate, jnp.ones_like(z), z + 1)]
    raise ValueError(
        f"q: got {type(latent).__name__}, expected distrax.Normal, distrax.MultivariateNormalDiag, "
        "distrax.Bernoulli or TFP's Poisson (or Independent of one)"
    )


def _gaussian(
    key: Key, loc: Array, scale: Array, num_samples: int
) -> tuple[Array, list[WeakDerivative]]:
    """dE/dloc by a Rayleigh R to either side, dE/dscale by a double-sided Maxwell M less a normal.

    Coupled: the same R serves both sides, and the normal is M U with U uniform, the sample itself.
    """
    shape, dtype = (num_samples, *loc.shape), loc.dtype
    key_maxwell, key_uniform, key_rayleigh = jax.random.split(key, 3)
    mean, spread = jax.lax.stop_gradient((loc, jnp.broadcast_to(scale, shape)))
    maxwell = spread * jax.random.double_sided_maxwell(key_maxwell, 0.0, 1.0, shape, dtype)
    # Not `jax.random.rayleigh`, which is infinite for one uniform draw in 2^23.
    rayleigh = spread * jnp.sqrt(2 * jax.random.exponential(key_rayleigh, shape, dtype))
    samples = mean + maxwell * jax.random.uniform(key_uniform, shape, dtype)
    by_loc = 1 / (math.sqrt(2 * math.pi) * spread)
    return samples, [
        WeakDerivative(loc, by_loc, mean + rayleigh, mean - rayleigh),
        WeakDerivative(scale, 1 / spread, mean + maxwell),
    ]
