"""Which argument of a call is not what its annotation says: types, shapes, and shared sizes."""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import re
import reprlib
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import AbstractArray, Float, Shaped, jaxtyped
from numpy.typing import ArrayLike as Listable

from jaxgen.types import Key

_WORDS = {
    Key: "one key, such as jax.random.key(0)",
    ArrayLike: "a number or an array",
    Listable: "an array or lists of numbers",
    int: "an integer",
    float: "a number",
    bool: "True or False",
    str: "a string",
    types.NoneType: "None",
}
Test: TypeAlias = Callable[[Any, bool], bool]
"""`(value, strict) -> whether it is as annotated`."""
_KEY_DTYPES = cast(Any, Key).dtypes
_KINDS = {bool: "b", int: "biu", float: "biuf", complex: "biufc"}
"""Of dtypes that hold such numbers, as NumPy calls them."""


def violation(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    strict: bool = False,
) -> str | None:
    """Returns "name: got, expected" of the first argument that is not as annotated, if one is.

    Sizes that annotations share, such as the d of `Float[Array, "n d"]` and `Float[Array, "m d"]`,
    are the same.

    Args:
      strict: whether integers are no floats; bytes never are.
    Example:
      >>> from jaxtyping import Array, Float
      >>> def f(x: Float[Array, "n d"], y: Float[Array, "m d"]): ...
      >>> violation(f, (jnp.zeros((3, 2)), jnp.zeros((3, 1))), {})
      "y: got float32[3,1], expected Float[Array, 'm d'] of the sizes that x float32[3,2] has"
    """
    names, hints, tests = _signature(function)
    given = [*zip(names, args, strict=False), *kwargs.items()]
    with jaxtyped("context"):
        for i, (name, value) in enumerate(given):
            test = tests.get(name)
            if test is None or test(value, strict):
                continue
            hint = hints[name]
            got = f"{name}: got {_short(value)}, expected {_accepted(hint)}"
            with jaxtyped("context"):
                alone = not test(value, strict)
            others = [f"{n} {_short(v)}" for n, v in given[:i] if _is_array(v) and _axes(v)]
            if alone or not others:
                return got
            has = "has" if len(others) == 1 else "have"
            return f"{got} of the sizes that {', '.join(others)} {has}"
    return None


@functools.cache
def _signature(function: Any) -> tuple[list[str], dict[str, Any], dict[str, Test]]:
    """The names of positional arguments; annotations, and what tests them, by name.

    What only a type checker knows (TYPE_CHECKING) is left out, and what stands for several.
    """
    function = inspect.unwrap(function)
    parameters = inspect.signature(function).parameters.values()
    hints, scope = {}, getattr(function, "__globals__", {})
    for each in parameters:
        if each.annotation is each.empty or each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD):
            continue
        one = types.SimpleNamespace(__annotations__={each.name: each.annotation})
        with contextlib.suppress(NameError):
            hint = typing.get_type_hints(one, scope, include_extras=True)[each.name]
            hints[each.name] = hint | None if each.default is None else hint
    stars = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.KEYWORD_ONLY)
    positional = itertools.takewhile(lambda each: each.kind not in stars, parameters)
    tests = {name: _test(hint) for name, hint in hints.items() if hint is not Any}
    return [each.name for each in positional], hints, tests


@functools.cache
def _test(hint: Any) -> Test:
    """Returns whether a value is as annotated, as far as that can be told of it."""
    if hint == Listable:  # otherwise words would do
        return lambda value, strict: _is_array(value)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    kind = origin or hint
    if kind in (typing.Union, types.UnionType):
        tests = [_test(each) for each in inner]
        return lambda value, strict: any(test(value, strict) for test in tests)
    if kind is Literal:
        return lambda value, strict: value in inner
    if kind is typing.Annotated:
        return _test(inner[0])
    if isinstance(kind, typing.TypeVar):
        return _test(kind.__bound__ or Any)
    if not isinstance(kind, type):
        return lambda value, strict: True  # Any
    if kind in _KINDS:
        return functools.partial(_is_number, kind)
    if kind is jax.Array or kind is np.ndarray:
        return lambda value, strict: _is_array(value)
    if issubclass(kind, AbstractArray):
        return _array_test(kind)
    if kind in (tuple, list, Sequence):
        return _sequence_test(kind, inner)
    if kind is Callable:
        return lambda value, strict: callable(value)
    if kind is dict:
        kind = Mapping  # such as flax's own
    return lambda value, strict: _is_instance(value, kind)


def _is_instance(value: Any, kind: type) -> bool:
    try:
        return isinstance(value, kind)
    except TypeError:
        return True  # a protocol that cannot be asked


def _is_number(kind: type, value: Any, strict: bool) -> bool:
    if isinstance(value, kind):
        return True
    if not _is_array(value) or _axes(value):
        return False
    dtype = jnp.result_type(value)
    floating = kind in (float, complex) and jnp.issubdtype(dtype, np.floating)  # bfloat16
    return dtype.kind in _KINDS[kind] or floating


def _is_array(value: Any) -> bool:
    """Whether it is an array, a number, or nested lists of numbers."""
    if isinstance(value, jax.Array):
        return True
    if isinstance(value, np.ndarray | np.generic | bool | int | float | complex):
        return not isinstance(value, np.ndarray) or value.dtype.kind not in "OUS"
    if not isinstance(value, list | tuple):
        return hasattr(value, "__jax_array__")
    try:
        jnp.asarray(value)
    except (TypeError, ValueError):
        return False
    return True


def _axes(value: Any) -> int:
    """Of an array, a number or nested lists, how many axes it has, one at least if it is a list."""
    return 1 if isinstance(value, list | tuple) else np.ndim(value)


def _array_test(kind: Any) -> Test:
    """Whether an array has the shape that is annotated, and the dtype or one that serves."""
    exact = {held: kind.dtype[held, kind.dim_str] for held in (jax.Array, np.ndarray)}
    shaped = {held: Shaped[held, kind.dim_str] for held in (jax.Array, np.ndarray)}
    of_keys = kind.dtypes == _KEY_DTYPES

    def test(value: Any, strict: bool) -> bool:
        if not _is_array(value):
            return False
        on_device = isinstance(value, jax.Array)
        if isinstance(value, list | tuple):  # such as of keys, which NumPy does not hold
            value, on_device = jnp.asarray(value), True
        array, held = (value, jax.Array) if on_device else (np.asarray(value), np.ndarray)
        exactly = strict or of_keys or _is_key(array)
        if not exactly and kind.dtype is Float:
            exactly = array.dtype.kind == "u"  # bytes wrap around
        return isinstance(array, cast(type, (exact if exactly else shaped)[held]))

    return test


def _is_key(array: Any) -> bool:
    return jnp.issubdtype(array.dtype, jax.dtypes.prng_key)


def _sequence_test(kind: Any, inner: tuple[Any, ...]) -> Test:
    of_each = kind is tuple and bool(inner) and inner[-1] is not Ellipsis
    tests = [_test(each) for each in inner if each is not Ellipsis]

    def test(value: Any, strict: bool) -> bool:
        if isinstance(value, str | Mapping) or not hasattr(value, "__len__"):
            return False
        if of_each:
            return len(value) == len(tests) and all(
                is_one(each, strict) for is_one, each in zip(tests, value, strict=True)
            )
        if isinstance(value, jax.Array | np.ndarray):
            return value.ndim > 0
        return not tests or all(tests[0](each, strict) for each in value)

    return test


def _short(value: Any) -> str:
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{value.dtype}{list(value.shape)}".replace(" ", "")
    if inspect.isclass(value):
        return f"the class {value.__name__}"
    if inspect.isroutine(value):
        return f"the function {getattr(value, '__qualname__', value)}"
    return reprlib.repr(value)


def _accepted(hint: Any) -> str:
    if hint in _WORDS:
        return _WORDS[hint]
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_accepted(each) for each in inner)
    if origin is Literal:
        return " or ".join(map(repr, inner))
    if (origin or hint) is Callable:
        return "a function"
    return re.sub(r"\b(?:\w+\.)+(?=[A-Za-z])", "", repr(hint) if origin else hint.__name__)
