"""Losses of one image under a model whose likelihood is exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
from jaxtyping import Array

from jaxgen.models import Density, conditioned
from jaxgen.types import Info, Key, Params, Scalar

LogProb: TypeAlias = Callable[[Params, Key, Array, Any], Scalar]
"""`(params, key, x, context) -> log p(x | context)`, in nats, or an unbiased estimate of it."""


def exact_log_prob(density: Density, *, training: bool = False) -> LogProb:
    """Returns `(params, key, x, context) -> log p(x | context)`, in nats.

    Args:
      training: the key is that of the nets' dropout, and of all else that training draws; without,
        it is ignored.
    Example:
      exact_log_prob(density)(params, key, x, ())
    """

    def log_prob(params: Params, key: Key, x: Array, context: Any) -> Scalar:
        return conditioned(density, params, context, key if training else None).log_prob(x)

    return log_prob


def negative_log_prob(
    log_prob: LogProb, prepare: Callable[[Key, Array], Array]
) -> Callable[[Params, Key, tuple[Array, Any]], tuple[Scalar, Info]]:
    """Returns `(params, key, (bytes of one image, context)) -> (-log p(x | context), {"nll"})`.

    Args:
      log_prob: in nats, such as `exact_log_prob(density, training=True)`.
      prepare: `(key, bytes) -> x`, such as that of an `ImageSet`.
    Example:
      loss = mean_over_batch(negative_log_prob(exact_log_prob(density, training=True), x.prepare))
      loss(params, key, (x.images[:128], ()))
    """

    def one(params: Params, key: Key, datapoint: tuple[Array, Any]) -> tuple[Scalar, Info]:
        image, context = datapoint
        key_x, key_p = jax.random.split(key)
        nll = -log_prob(params, key_p, prepare(key_x, image), context)
        return nll, {"nll": nll}

    return one
