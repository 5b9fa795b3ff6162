"""A baseline learned from the datapoint: the input-dependent one of NVIL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.estimators.base import Integrand
from jaxgen.estimators.control_variates.base import Baseline, Control
from jaxgen.types import Distribution, Key, Params
from jaxgen.values import known_by_call


@known_by_call
def learned(init: Callable[[Key, Any], Params], apply: Callable[[Params, Any], Array]) -> Baseline:
    """Returns the baseline b(context; params) of a network, trained to predict f.

    The state is the network's params; the Estimate's `control_loss`, 1/S sum_s (f(z_s) - b)^2, is
    what they lower. Sees the datapoint and never the sample, so unbiased.

    Args:
      init: `(key, context) -> params`, such as `module.init`.
      apply: `(params, context) -> number`, in the unit of f, such as `module.apply`.
    Raises:
      ValueError: the context is None; the network does not return one number.
    Example:
      >>> from jaxgen.nets import MLP
      >>> net, x = MLP((100,), (1,)), jnp.ones(784)
      >>> estimator = score_function(1, baseline=learned(net.init, net.apply))
      >>> state = estimator.init(jax.random.key(0), distrax.Bernoulli(0.3), x)
    Source: Mnih & Gregor (2014).
    """

    def begin(key: Key, q: Distribution, context: Any = None) -> Params:
        _check(context)
        return init(key, context)

    def predict(
        state: Params, f: Integrand, q: Distribution, samples: Array, values: Array, context: Any
    ) -> Control:
        _check(context)
        b = apply(state, jax.lax.stop_gradient(context))
        if b.size != 1:
            raise ValueError(f"apply: got shape {b.shape}, expected one number (shape ())")
        b = b.reshape(())
        loss = jnp.mean((jax.lax.stop_gradient(values) - b) ** 2)
        return Control(b, loss=loss)

    return Baseline(predict, begin)


def _check(context: Any) -> None:
    if context is None:
        raise ValueError("context: got None, expected what the network predicts f from (the data)")
