"""The coefficient of a control variate that minimizes the variance of the gradient, as it runs."""

from __future__ import annotations

import dataclasses
from typing import Any

import distrax
import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float

from jaxgen.estimators.base import Estimate, Integrand, State
from jaxgen.estimators.control_variates.base import Baseline, Control
from jaxgen.estimators.control_variates.baselines import Decaying, check_decay, constant
from jaxgen.estimators.discrete import factors, innermost
from jaxgen.estimators.evaluation import parameters, with_float32_params
from jaxgen.types import Distribution, Key
from jaxgen.values import known_by_call

_ONE = constant(1.0)


@struct.dataclass
class _Coefficient:
    running: Decaying  # of f h |g|^2, and of h^2 |g|^2 as the weight
    inner: State


@known_by_call
def optimal_coefficient(baseline: Baseline = _ONE, *, decay: float = 0.99) -> Baseline:
    """Returns the baseline c h with c = E[f h |g|^2] / E[h^2 |g|^2], g = grad log q, h `baseline`.

    This c minimizes the trace of the covariance of (f - c h) g over a batch; with the default h = 1
    it is the optimal constant baseline. The expectations are decaying averages over past batches,
    never over the samples at hand, which would bias the gradient; c is zero before the first
    update. g is taken in q's own parameters (mean and scale, logits), so it is optimal for those.
    For an h with a mean of its own (`muprop`) c is not quite the best, and still unbiased.

    Args:
      baseline: the control variate h to scale.
      decay: weight kept per update, in [0, 1).
    Raises:
      ValueError: decay is outside [0, 1).
    Example:
      >>> score_function(8, baseline=optimal_coefficient())
    Source: Weaver & Tao (2001); Greensmith et al. (2004).
    """
    check_decay(decay)

    def init(key: Key, q: Distribution, context: Any = None) -> _Coefficient:
        return _Coefficient(running=Decaying.empty(), inner=baseline.init(key, q, context))

    def apply(
        state: _Coefficient,
        f: Integrand,
        q: Distribution,
        samples: Array,
        values: Array,
        context: Any,
    ) -> Control:
        h = baseline.apply(state.inner, f, q, samples, values, context)
        c = jax.lax.stop_gradient(state.running.mean()).astype(values.dtype)
        norms = squared_score(q, samples)
        statistics = (values * h.values * norms, h.values**2 * norms, h.statistics)
        return Control(c * h.values, c * h.mean, h.loss, statistics)

    def update(state: _Coefficient, estimates: Estimate) -> _Coefficient:
        products, squares, inner = estimates.statistics
        running = state.running.add_known(decay, products, squares)
        inner = baseline.update(state.inner, estimates._replace(statistics=inner))
        return _Coefficient(running=running, inner=inner)

    return dataclasses.replace(baseline, init=init, apply=apply, update=update)


def squared_score(q: Distribution, samples: Array) -> Float[Array, "samples"]:
    """Returns |grad log q(z)|^2 at each sample, the gradient taken in q's own parameters.

    Raises:
      ValueError: q is no pytree of its parameters.
    """
    if isinstance(innermost(q), distrax.Categorical):  # it keeps its logits normalized
        latents = factors(q)
        one_hot = jax.nn.one_hot(latents.encode(samples), latents.log_probs.shape[-1])
        return jnp.sum((one_hot - jnp.exp(latents.log_probs)) ** 2, axis=(-2, -1))
    params, rebuild = parameters(with_float32_params(q))
    if not params:
        raise ValueError(
            f"q: got {type(q).__name__}, expected a pytree of its parameters (any distrax or TFP "
            "distribution), in which the score is taken"
        )
    score = jax.grad(lambda params, z: rebuild(params).log_prob(z))
    scores = jax.vmap(score, (None, 0))(params, samples)
    flat = [g.reshape(len(samples), -1) for g in scores.values()]
    return jnp.sum(jnp.concatenate(flat, axis=1) ** 2, axis=1)
