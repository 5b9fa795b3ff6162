"""The body of a scan, made once for the functions that it calls: so it is compiled once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from jax.core import eval_context
from jax.extend.core import get_opaque_trace_state

_T = TypeVar("_T")

KEPT = 16
"""Bodies that are kept, with what their functions close over."""

with eval_context():
    _EAGER = get_opaque_trace_state(convention="flax")


def made_once(make: Callable[..., _T], *given: Any) -> _T:
    """Returns `make(*given)`; for what was given before, the same object as then.

    `jax.lax.scan` of the same function and shapes is compiled once. So what is `given` are the
    caller's functions, and arrays go through the carry. Within a transformation of JAX, where
    functions may close over what is traced, and of what is not hashable, it is made anew.

    Example:
      >>> def adding(f):
      ...     return lambda total, x: (total + f(x), None)
      >>> made_once(adding, jnp.exp) is made_once(adding, jnp.exp)
      True
    """
    if get_opaque_trace_state(convention="flax") != _EAGER or not _all_hashable(given):
        return make(*given)
    return _made(make, *given)


@functools.lru_cache(KEPT, typed=True)
def _made(make: Callable[..., Any], *given: Hashable) -> Any:
    return make(*given)


def _all_hashable(given: tuple[Any, ...]) -> bool:
    try:
        hash(given)
    except TypeError:
        return False
    return True
