"""Records of functions that are equal when made equal, and tables of values by their names."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, ParamSpec, TypeVar, dataclass_transform

_P = ParamSpec("_P")
_T = TypeVar("_T")
_V = TypeVar("_V", bound="Value")


@dataclass_transform(frozen_default=True, eq_default=False)
class Value:
    """A frozen record, mostly of functions, that is known by the call that made it.

    A subclass lists its fields, as a dataclass does, and needs no decorator. Functions that a call
    makes anew are never equal, so records of them would not be either, and `jax.jit` would compile
    anew for each that it gets by `static_argnums`. What `known_by_call` made is therefore compared,
    hashed and shown by its call; what `known_by_name` named, by its name; all else by its fields.
    `dataclasses.replace` changes a field: the new record is known by its fields.

    Example:
      >>> class Scaled(Value):
      ...     factor: float
      ...
      ...     def __call__(self, x):
      ...         return self.factor * x
      >>> Scaled(2.0)(3.0), Scaled(2.0) == Scaled(2.0)
      (6.0, True)
    """

    _known_by: ClassVar[Any] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclasses.dataclass(frozen=True, eq=False, repr=False)(cls)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Value) or type(self) is not type(other):
            return False
        return _identity(self) == _identity(other)

    def __hash__(self) -> int:
        return hash(_identity(self))

    def __repr__(self) -> str:
        if self._known_by is not None:
            return repr(self._known_by)
        fields = ", ".join(f"{name}={_shown(value)}" for name, value in _fields(self))
        return f"{type(self).__name__}({fields})"


def known_by_call(factory: Callable[_P, _T]) -> Callable[_P, _T]:
    """Makes equal calls of `factory` return equal, hashable values whose repr is the call.

    Defaults count: `pathwise()` equals `pathwise(1)`. A function that the factory returns becomes a
    `Value` to be called. A value that has a name of its own (`renyi(1)` is `ELBO`) keeps it.

    Arguments are compared by `==` if they are hashable. An array, traced or not, and anything else
    that is not hashable is compared by identity, and hashing the value raises TypeError: to have
    equal values, pass Python numbers.

    Example:
      >>> @known_by_call
      ... def scaled(factor=2.0):
      ...     return lambda x: factor * x
      >>> scaled(), scaled() == scaled(2.0), scaled()(3.0)
      (scaled(), True, 6.0)
    """
    signature = inspect.signature(factory)

    @functools.wraps(factory)
    def made(*args: Any, **kwargs: Any) -> Any:
        value: Any = factory(*args, **kwargs)
        if isinstance(value, Value) and isinstance(value._known_by, _Name):
            return value
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        arguments = tuple((name, _comparable(name, x)) for name, x in bound.arguments.items())
        record = value if isinstance(value, Value) else _Function(value)
        return _known(record, _Call(factory, arguments))

    return made


def known_by_name(name: str, value: _V) -> _V:
    """Returns `value` with `name` as its repr: for constants, of which there is one.

    Example:
      >>> known_by_name("MEAN", Bound("mean", jnp.mean, None))
      MEAN
    """
    return _known(value, _Name(name))


class _Function(Value):
    function: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


class _Name:  # compared by identity
    def __init__(self, name: str):
        self._name = name

    def __repr__(self) -> str:
        return self._name


@dataclasses.dataclass(frozen=True, repr=False)
class _Call:
    factory: Callable[..., Any]
    arguments: tuple[tuple[str, Any], ...]

    def __repr__(self) -> str:
        parameters, shown, in_order = inspect.signature(self.factory).parameters, [], True
        for name, value in self.arguments:
            parameter = parameters[name]
            if parameter.kind is parameter.VAR_POSITIONAL:
                shown += map(_shown, value)
            elif parameter.kind is parameter.VAR_KEYWORD:
                shown += [f"{key}={_shown(x)}" for key, x in value.items()]
            elif value == parameter.default:
                in_order = False  # what follows is given by name
            elif in_order and parameter.kind is not parameter.KEYWORD_ONLY:
                shown.append(_shown(value))
            else:
                shown.append(f"{name}={_shown(value)}")
        return f"{self.factory.__name__}({', '.join(shown)})"


class _ByIdentity:
    def __init__(self, name: str, value: Any):
        self._name, self._value = name, value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByIdentity) and self._value is other._value

    def __hash__(self) -> int:
        raise TypeError(
            f"{self._name}: got {type(self._value).__name__}, which is not hashable, and so no "
            "value made of it is; expected Python numbers, strings, functions or such values"
        )

    def __repr__(self) -> str:
        return _shown(self._value)


def _comparable(name: str, value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return _ByIdentity(name, value)
    return value


def _known(value: _V, by: Any) -> _V:
    copy = dataclasses.replace(value)  # type: ignore[type-var]
    object.__setattr__(copy, "_known_by", by)
    return copy


def _fields(value: Value) -> list[tuple[str, Any]]:
    return [(f.name, getattr(value, f.name)) for f in dataclasses.fields(value)]  # type: ignore[arg-type]


def _identity(value: Value) -> Any:
    return tuple(x for _, x in _fields(value)) if value._known_by is None else value._known_by


def _shown(value: Any) -> str:
    if isinstance(value, Value) or not callable(value):
        return repr(value)
    return getattr(value, "__qualname__", None) or getattr(value, "__name__", repr(value))


class UnknownName(KeyError, ValueError):
    """A name that a table does not have: a KeyError with a message to be read.

    Example:
      >>> isinstance(UnknownName("divergence: got 'kld'"), KeyError)
      True
    """

    def __str__(self) -> str:
        return self.args[0]


class ByName(Mapping[str, _T]):
    """Named values, read only, that lists its names when it is asked for another.

    Raises:
      UnknownName: of a name that is not in it; a KeyError and a ValueError.
    Example:
      >>> table = ByName("divergence", {"kl": 1.0, "pearson": 2.0})
      >>> table["kl"]
      1.0
      >>> table.get("kld", "none of that name")
      'none of that name'
    """

    def __init__(self, of: str, entries: Mapping[str, _T]):
        self._of, self._entries = of, dict(entries)

    def __getitem__(self, name: str) -> _T:
        if name not in self._entries:
            names = ", ".join(self._entries)
            raise UnknownName(f"{self._of}: got {name!r}, expected one of {names}")
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"{self._of}s by name: {', '.join(self._entries)}"
