"""ReinMax: straight-through of second order, by Heun's rule between the states."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.checks import positive
from jaxgen.estimators.base import Estimator
from jaxgen.estimators.one_hots import moving, through_one_hots
from jaxgen.types import Key
from jaxgen.values import known_by_call


@known_by_call
def reinmax(num_samples: int = 1, *, temperature: float = 1.0) -> Estimator:
    """Returns the estimator 1/S sum_s [2 J(p_s) - 1/2 J(p)] f'(D_s), p_s = (D_s + p_t) / 2.

    J(p) = diag(p) - p p' is the derivative of softmax, p = softmax(logits), p_t that of logits / t.
    At t = 1 its mean takes the trapezoid, (f'(a) + f'(b)) (b - a) / 2, in the place of each
    f(b) - f(a): exact where f is quadratic in each latent, biased elsewhere. Straight-through is
    exact for linear f alone; on eight coupled bits, no quadratic, its largest bias is .025, this
    one's .015. f sees floats, 0 or 1, and must have a slope there.

    Args:
      num_samples: S, draws of D and evaluations of f, with its slope, per call.
      temperature: t > 0 in p_t.
    Raises:
      ValueError: num_samples is below one, temperature not above zero; q is neither Bernoulli nor
        one-hot categorical.
    Example:
      >>> def loss(logit, key):
      ...     f, q = lambda b: (b - 0.45) ** 2, distrax.Bernoulli(logit)
      ...     return reinmax(64).apply((), key, f, q)[0]
      >>> jax.grad(loss)(0.3, jax.random.key(0))  # f is quadratic; exactly: 0.0245
    Source: Liu et al. (2023).
    """
    temperature = positive("temperature", temperature)

    def stand_in(key: Key, drawn: Array, logits: Array) -> Array:
        between = (drawn + jax.nn.softmax(logits / temperature)) / 2
        heun = jax.nn.softmax(jax.lax.stop_gradient(jnp.log(between)) + moving(logits))
        return 2.0 * heun - 0.5 * jax.nn.softmax(logits)

    return through_one_hots(num_samples, name="reinmax", stand_in=stand_in)
