"""What a comparison of two sets of samples says of each sample, or of each independent part."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float


class SampleTerms(NamedTuple):
    """Per-sample terms of a comparison: mean over p's samples minus mean over q's.

    An objective that wants one value per generated sample takes `jnp.mean(p) - q`: its mean is the
    comparison and its gradient, in samples and critic alike, the comparison's gradient.

    Attributes:
      p: at each sample of p, the data.
      q: at each sample of q, the model.
    Example:
      >>> mmd_unbiased(xs, ys, rbf(1.0)).value
    """

    p: Float[Array, "*batch n"]
    q: Float[Array, "*batch m"]

    @property
    def value(self) -> Float[Array, "*batch"]:
        """The comparison itself."""
        return jnp.mean(self.p, axis=-1) - jnp.mean(self.q, axis=-1)


class IndependentTerms(NamedTuple):
    """Independent unbiased values of one comparison, and so its standard error.

    Attributes:
      values: of each pair of samples, line or subset.
    Example:
      >>> mmd_linear(xs, ys, rbf(1.0)).stderr
    """

    values: Float[Array, "*batch terms"]

    @property
    def value(self) -> Float[Array, "*batch"]:
        """The comparison: the mean of the values."""
        return jnp.mean(self.values, axis=-1)

    @property
    def stderr(self) -> Float[Array, "*batch"]:
        """The standard error of the mean; NaN of a single value."""
        terms = self.values.shape[-1]
        return jnp.std(self.values, axis=-1, ddof=1) / jnp.sqrt(float(terms))
