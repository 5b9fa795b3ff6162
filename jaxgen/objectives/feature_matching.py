"""Two steadier ways to face a critic: by its features' means, and through noise."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Num

from jaxgen.checks import not_negative
from jaxgen.numerics import at_least_float32
from jaxgen.types import Key, Scalar


def feature_matching(
    real_features: Float[Array, "n ..."], fake_features: Float[Array, "m ..."]
) -> Scalar:
    """Returns the squared distance of the two batches' mean features: the generator's loss.

    A quantity of two batches, not of a datapoint, in float32 at least. The reals' mean is a target:
    no gradient flows through it.

    Args:
      real_features: an inner layer of the critic at reals, one row each.
      fake_features: at the generator's samples.
    Raises:
      ValueError: the features of a datapoint differ in shape; a batch is empty.
    Example:
      >>> real_features, fake_features = (
      ...     jnp.array([[0.0, 0.0], [2.0, 2.0]]),
      ...     jnp.array([[1.0, 0.0]]),
      ... )
      >>> feature_matching(real_features, fake_features)  # of the means (1, 1) and (1, 0)
      Array(1., dtype=float32)
    Source: Salimans et al. (2016), "Improved techniques for training GANs", section 3.1.
    """
    for name, features in (("real_features", real_features), ("fake_features", fake_features)):
        if not len(features):
            raise ValueError(f"{name}: got shape {features.shape}, expected one row or more")
    if real_features.shape[1:] != fake_features.shape[1:]:
        raise ValueError(
            f"fake_features: got shape {fake_features.shape}, expected (m, "
            f"{', '.join(map(str, real_features.shape[1:]))}), as real_features"
        )
    real, fake = (
        jnp.mean(at_least_float32(name, features), axis=0)
        for name, features in (("real_features", real_features), ("fake_features", fake_features))
    )
    return jnp.sum((fake - jax.lax.stop_gradient(real)) ** 2)


def instance_noise(key: Key, x: Float[Array, "..."], scale: Num[ArrayLike, ""]) -> Array:
    """Returns x plus normal noise, for reals and fakes alike before the critic sees them.

    It makes distributions on thin sets overlap, so that the critic's best output stays finite; let
    `scale` fall to zero as training goes on.

    Raises:
      ValueError: scale is a number below zero.
    Example:
      >>> x = jnp.zeros((28, 28, 1))
      >>> jnp.std(instance_noise(jax.random.key(0), x, 0.1))
      Array(0.1, dtype=float32)
    Source: Sønderby et al. (2017), "Amortised MAP inference for image super-resolution", section 3.
    """
    return x + not_negative("scale", scale) * jax.random.normal(key, x.shape, x.dtype)
