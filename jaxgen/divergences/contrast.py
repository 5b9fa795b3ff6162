"""Two sets of samples, checked, and what a comparison of them says of each sample."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from jaxgen.numerics import widened
from jaxgen.types import Scalar


class Contrast(NamedTuple):
    """A comparison of p and q as one value per sample: mean over p's minus mean over q's.

    An objective that wants one value per generated sample takes `jnp.mean(p) - q`: its mean is the
    comparison and its gradient, in samples and critic alike, the comparison's gradient.

    Attributes:
      p: at each sample of p, the data.
      q: at each sample of q, the model.
    """

    p: Float[Array, "n"]
    q: Float[Array, "m"]

    @property
    def value(self) -> Scalar:
        """The comparison itself."""
        return jnp.mean(self.p) - jnp.mean(self.q)


def vectors(
    p_samples: Num[Array, "n ..."],
    q_samples: Num[Array, "m ..."],
    *,
    minimum: int = 2,
    names: tuple[str, str] = ("p_samples", "q_samples"),
) -> tuple[Float[Array, "n dims"], Float[Array, "m dims"]]:
    """Returns both sets with each sample as a vector, in float32 at least.

    Raises:
      ValueError: a set has fewer than `minimum` samples or is not of floating point (uint8 pixels
        would wrap around), or the two differ in the shape or type of a sample.
    Example:
      vectors(jnp.zeros((5, 8, 8)), jnp.zeros((7, 8, 8)))  # shapes [5, 64] and [7, 64]
    """
    wide = []
    for name, samples in zip(names, (p_samples, q_samples), strict=True):
        wide.append(widened(name, samples))
        if samples.ndim == 0 or len(samples) < minimum or samples.size == 0:
            raise ValueError(
                f"{name}: got shape {samples.shape}, expected at least {minimum} samples along the "
                "leading axis"
            )
    if p_samples.shape[1:] != q_samples.shape[1:] or p_samples.dtype != q_samples.dtype:
        raise ValueError(
            f"{names[1]}: got {q_samples.dtype} samples of shape {q_samples.shape[1:]}, expected "
            f"{p_samples.dtype} and {p_samples.shape[1:]}, as {names[0]} has"
        )
    xs, ys = (samples.reshape(len(samples), -1) for samples in wide)
    return xs, ys
