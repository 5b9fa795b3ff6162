"""The parameters of a q in which a gradient of its own can be taken."""

from __future__ import annotations

from collections.abc import Callable

import distrax
import jax
from jaxtyping import Array

from jaxgen.estimators.discrete import innermost
from jaxgen.estimators.evaluation import parameters
from jaxgen.estimators.held import may_hide_parameters
from jaxgen.types import Distribution


def free_parameters(
    q: Distribution,
) -> tuple[dict[int, Array], Callable[[dict[int, Array]], Distribution]]:
    """Returns q's own parameters and the way back, where all that q is made of is among them.

    Raises:
      ValueError: q is no pytree of its parameters.
    Example:
      >>> params, rebuild = free_parameters(distrax.Normal(0.0, 1.0))
      >>> rebuild({i: 2 * x for i, x in params.items()}).scale.tolist()
      2.0
    """
    params, rebuild = parameters(q)
    latent = innermost(q)
    if isinstance(latent, distrax.Categorical):  # what it keeps is normalized: as its maker does it
        from_logits = any(x is latent.logits for x in params.values())
        normalize = jax.nn.log_softmax if from_logits else lambda p: p / p.sum(-1, keepdims=True)
        return params, lambda params: rebuild({i: normalize(x) for i, x in params.items()})
    if may_hide_parameters(q) and not isinstance(q, distrax.MultivariateNormalDiag):
        raise ValueError(
            f"q: got {type(q).__name__}, some of whose parameters lie in functions, expected a "
            "pytree of them, in which the gradient is taken"
        )
    return params, rebuild
