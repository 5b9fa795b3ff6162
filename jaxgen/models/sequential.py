"""What every model of a sequence with a latent per step consists of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import distrax
from jaxtyping import Array

from jaxgen.types import Key, Params


class SequentialModel(NamedTuple):
    """p(x_1..T, z_1..T) and q, one step at a time, as pure functions over `params`.

    The state is all of the past that the next step depends on, a pytree of arrays: the prior's
    parameters in a state-space model, the recurrent net's vector in a recurrent one.

    Attributes:
      init: `key -> params`.
      start: `params -> state` before the first step.
      prior: `(params, state) -> p(z_t | state)`.
      encode: `(params, state, x) -> q(z_t | state, x_t)`, the amortised proposal.
      decode: `(params, state, z) -> p(x_t | state, z_t)`.
      update: `(params, state, z, x) -> state` of the next step.
    """

    init: Callable[[Key], Params]
    start: Callable[[Params], Any]
    prior: Callable[[Params, Any], distrax.Independent]
    encode: Callable[[Params, Any, Array], distrax.Independent]
    decode: Callable[[Params, Any, Array], distrax.Independent]
    update: Callable[[Params, Any, Array, Array], Any]
