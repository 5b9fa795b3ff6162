"""Two sets of samples, checked, and what a comparison of them says of each sample."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.types import Scalar


class SampleTerms(NamedTuple):
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
