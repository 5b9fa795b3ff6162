"""Names that every room shares.

The dictionary of the house: `x` is data, `z` a latent, `q` a posterior or any distribution whose
parameters are learned, `theta`/`phi` are spelled `params`, `logits` and `probs` say which they are,
`num_samples` is a count, `value` is the number whose gradient is wanted. Keys are typed
(`jax.random.key`), stand first and are consumed once.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import (
    Any,
    ClassVar,
    NamedTuple,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypeVar,
    dataclass_transform,
    runtime_checkable,
)

import jax
from jaxtyping import Array, Float
from jaxtyping import Key as _Key

Key: TypeAlias = _Key[Array, ""]
"""One typed random key."""

Scalar: TypeAlias = Float[Array, ""]
"""One floating-point number; a log probability or a divergence is in nats."""

Params: TypeAlias = Any
"""A pytree of arrays that an optimizer may change."""

Variables: TypeAlias = dict[str, Any]
"""What a net is applied with: `params` and, beside it, the collections that a forward pass in
training changes (batch statistics, singular vectors, a pool of images), by name, as in linen."""

Info: TypeAlias = dict[str, Any]
"""What is worth seeing of a step: named arrays, never fed back into the computation."""

Loss: TypeAlias = Callable[[Params, Key, Any], tuple[jax.Array, Info]]
"""`(params, key, batch) -> (scalar to lower, info)`: all that training knows of a model. One that
declares a keyword-only parameter `step` is given the number of updates made so far."""

PlayerLoss: TypeAlias = Callable[[Variables, Any, Key, Any], tuple[jax.Array, Variables, Info]]
"""`(own, other, key, batch) -> (scalar to lower, own collections as changed, info)`. `other` is the
other player's variables, or for the critic's loss the sides that they make. May see the step, too.
"""


class GameLosses(NamedTuple):
    """All that training knows of a game, as `Loss` is all that it knows of a model.

    Attributes:
      draw: `(key, data) -> batch`: what both players see beside the data, such as latents.
      sides: `(generator's variables, key, batch) -> sides`, what the critic compares.
      generator: `(generator's variables, critic's, key, batch) -> (scalar, changed, info)`.
      critic: `(critic's variables, sides, key, batch) -> (scalar, changed, info)`.
    """

    draw: Callable[[Key, Any], Any]
    sides: Callable[[Variables, Key, Any], Any]
    generator: PlayerLoss
    critic: PlayerLoss


@runtime_checkable
class Distribution(Protocol):
    """Anything that samples and scores, in distrax's spelling."""

    def sample(self, *, seed: Any, sample_shape: Any = ()) -> Any:
        """Draws an array of shape `sample_shape + batch_shape + event_shape`."""
        ...

    def log_prob(self, value: Any) -> Any:
        """Log density or mass of `value`, in nats, of shape `batch_shape`."""
        ...


@dataclass_transform(frozen_default=True, eq_default=False)
class Value:
    """A frozen record, mostly of functions, that is known by the call that made it.

    A subclass lists its fields, as a dataclass does, and needs no decorator. Functions that a call
    makes anew are never equal, so records of them would not be either, and `jax.jit` would compile
    anew for each that it gets by `static_argnums`. What `known_by_call` made is therefore compared,
    hashed and shown by its call; what `known_by_name` named, by its name; all else by its fields.
    `dataclasses.replace` changes a field: the new record is known by its fields.

    Example:
      class Bound(Value):
          value: Callable[[Array], Array]
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


_P = ParamSpec("_P")
_T = TypeVar("_T")
_V = TypeVar("_V", bound=Value)


def known_by_call(factory: Callable[_P, _T]) -> Callable[_P, _T]:
    """Makes equal calls of `factory` return equal, hashable values whose repr is the call.

    Defaults count: `pathwise()` equals `pathwise(1)`. A function that the factory returns becomes a
    `Value` to be called. A value that has a name of its own (`renyi(1)` is `ELBO`) keeps it.

    Arguments are compared by `==` if they are hashable. An array, traced or not, and anything else
    that is not hashable is compared by identity, and hashing the value raises TypeError: to have
    equal values, pass Python numbers.

    Example:
      @known_by_call
      def pathwise(num_samples: int = 1) -> Estimator: ...
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
      ELBO = known_by_name("ELBO", Bound("elbo", jnp.mean))
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


@runtime_checkable
class DistraxDistribution(Distribution, Protocol):
    """A Distribution with more of distrax's spelling; what has no closed form raises there."""

    @property
    def event_shape(self) -> Any:
        """Shape of one sample."""
        ...

    @property
    def batch_shape(self) -> Any:
        """Shape of the batch of distributions; () for one."""
        ...

    def mean(self) -> Any:
        """Expectation, of shape `batch_shape + event_shape`."""
        ...

    def stddev(self) -> Any:
        """Standard deviation of each entry."""
        ...

    def entropy(self) -> Any:
        """In nats."""
        ...

    def kl_divergence(self, other_dist: Any) -> Any:
        """KL(self || other), in nats."""
        ...
