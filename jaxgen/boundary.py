"""The doors of the rooms: an argument that is not as annotated is refused, by its name.

An annotation says what a public function accepts: types, shapes, and the sizes that arguments
share. Every call through a room's face is compared with it, once where a function is compiled, so
that nothing broadcasts and nothing is missed: "name: got, expected".
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Callable
from typing import Any, TypeVar, cast

_F = TypeVar("_F", bound=Callable[..., Any])


def doors(room: str) -> None:
    """Puts a door before each public function of a room: `checked` of it takes its place.

    Args:
      room: the module's name; what is public is in its `__all__`.
    Example:
      >>> doors("jaxgen.models")  # stands at the end of the room's face, as doors(__name__)
    """
    module = sys.modules[room]
    for name in module.__all__:
        setattr(module, name, behind_a_door(getattr(module, name)))


def behind_a_door(value: Any) -> Any:
    """Returns `checked(value)` of a function, compiled or not, and anything else as it is.

    Example:
      >>> behind_a_door(3)
      3
    """
    compiled = callable(value) and hasattr(value, "lower") and not inspect.isclass(value)
    return checked(value) if inspect.isfunction(value) or compiled else value


@functools.cache
def checked(function: _F) -> _F:
    """Returns the function, which refuses arguments that are not as annotated.

    Array-likes are arrays. Numbers of another kind, such as integers for floats, are let in; where
    the function then fails, they are named.

    Raises:
      ValueError: an argument is not what its annotation says. Errors of calls whose arguments all
        are stay as they are.
    Example:
      >>> @checked
      ... def norm(x: Float[Array, " n"]) -> Float[Array, ""]:
      ...     return jnp.sqrt(jnp.sum(x**2))
      >>> norm(jnp.ones((3, 1)))
      Traceback (most recent call last):
      ValueError: x: got float32[3,1], expected Float[Array, 'n']
    """

    @functools.wraps(function)
    def door(*args, **kwargs):
        if "jax" not in sys.modules:  # a command line is read without it, and has no arrays
            return function(*args, **kwargs)
        from jaxgen.violations import violation

        refused = violation(function, args, kwargs)
        if refused is not None:
            raise ValueError(refused)
        try:
            return function(*args, **kwargs)
        except Exception as error:
            refused = violation(function, args, kwargs, strict=True)
            if refused is None or _is_refusal(error):
                raise
            raise ValueError(refused) from error

    return cast(_F, door)


def _is_refusal(error: Exception) -> bool:
    return isinstance(error, ValueError) and bool(re.match(r"[\w.]+\S*: got ", str(error)))
