"""A scan whose every step has a key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array
from jaxtyping import Key as Keys

from jaxgen.types import Info, Key


def keyed_scan(
    step: Callable[[Any, Key, Any], tuple[Any, Info]],
    state: Any,
    keys: Keys[Array, "steps"],
    xs: Any = (),
) -> tuple[Any, Info]:
    """Returns what `jax.lax.scan` does of `(state, key, x) -> (state, info)`, a key for each step.

    The keys pass through the scan as data: under vmap it turns their axes, which
    `jax.debug_key_reuse` takes for their use.
    """
    impl = jax.random.key_impl(keys)

    def with_key(state: Any, x: tuple[Array, Any]) -> tuple[Any, Info]:
        return step(state, jax.random.wrap_key_data(x[0], impl=impl), x[1])

    return jax.lax.scan(with_key, state, (jax.random.key_data(keys), xs))
