"""What every model with a latent variable and an amortised posterior consists of."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import distrax
from jaxtyping import Array

from jaxgen.types import Key, Params


class LatentVariableModel(NamedTuple):
    """p(x, z) = p(z) p(x|z) and q(z|x), as pure functions over `params`, each for one datapoint.

    Attributes:
      init: `key -> params`.
      prior: `params -> p(z)`.
      encode: `(params, x) -> q(z|x)`, amortised.
      decode: `(params, z) -> p(x|z)`.
    """

    init: Callable[[Key], Params]
    prior: Callable[[Params], distrax.Independent]
    encode: Callable[[Params, Array], distrax.Independent]
    decode: Callable[[Params, Array], distrax.Independent]
