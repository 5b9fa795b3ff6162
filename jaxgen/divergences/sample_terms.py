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
      >>> terms = mmd_unbiased(jnp.zeros((3, 2)), jnp.ones((4, 2)), rbf(1.0))
      >>> terms.p.shape, terms.q.shape, terms.value.shape
      ((3,), (4,), ())
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
      >>> terms = IndependentTerms(jnp.array([1.0, 2.0, 3.0]))
      >>> float(terms.value), float(terms.stderr)  # 1 / sqrt(3)
      (2.0, 0.577)
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
