"""Types of configuration fields that say what they accept, and the one check that reads them.

A rule is metadata of `typing.Annotated`, so type checkers and the command line see the plain type:

    width: Count = 64                                       # an integer >= 1
    clip_norm: Positive | None = None                       # a finite number > 0, or none
    hidden: tuple[Count, ...] = (200, 200)                  # each an integer >= 1
    loss: Literal["hinge", "minimax"] = "hinge"             # one of the two
    games: Annotated[tuple[str, ...], Among(GAMES), SEVERAL] = ("hinge",)  # keys of a table
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import numbers
import operator
import types
import typing
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

F_DIVERGENCES = (
    "total_variation",
    "kl",
    "reverse_kl",
    "pearson",
    "neyman",
    "squared_hellinger",
    "jeffrey",
    "jensen_shannon",
    "weighted_jensen_shannon",
    "gan",
    "alpha",
)
"""The names of `jaxgen.divergences.DIVERGENCES`, for flags: their help need not wait for JAX."""


class Rule(NamedTuple):
    """What a field accepts beside its type.

    Attributes:
      accepts: whether a value of the type is accepted.
      expected: the end of "NAME: got VALUE, expected ...".
      whole: whether a tuple is asked about as a whole, not item by item.

    Example:
      >>> from typing import Annotated
      >>> Even = Annotated[int, Rule(lambda n: n % 2 == 0, "an even number")]
    """

    accepts: Callable[[Any], bool]
    expected: str
    whole: bool = False


def Among(table: Iterable[str]) -> Rule:
    """Returns the rule of a name, or of a tuple of names, that `table` holds.

    Example:
      >>> from typing import Annotated
      >>> Named = Annotated[str, Among(["arm", "disarm"])]
      >>> Among(["arm", "disarm"]).expected
      'one of arm, disarm'
    """
    names = list(table)
    return Rule(names.__contains__, f"one of {', '.join(names)}")


def AtLeast(least: int) -> Rule:
    """Returns the rule of an integer of at least `least`, or of a tuple of such integers.

    Example:
      >>> from typing import Annotated
      >>> Pairs = Annotated[int, AtLeast(2)]
      >>> AtLeast(2).expected
      'an integer >= 2'
    """
    return Rule(lambda number: number >= least, f"an integer >= {least}")


SEVERAL = Rule(lambda items: 0 < len(items) == len(set(items)), "one or more, each once", True)
"""Of a tuple."""
RISING = Rule(
    lambda items: len(items) > 0 and list(items) == sorted(set(items)),
    "one number or more, rising",
    True,
)
"""Of a tuple of numbers."""

Count: TypeAlias = Annotated[int, AtLeast(1)]
"""An integer >= 1."""
Whole: TypeAlias = Annotated[int, AtLeast(0)]
"""An integer >= 0."""
Positive: TypeAlias = Annotated[float, Rule(lambda x: x > 0, "a positive number")]
"""A finite number > 0."""
NonNegative: TypeAlias = Annotated[float, Rule(lambda x: x >= 0, "a finite number >= 0")]
"""A finite number >= 0."""
Share: TypeAlias = Annotated[float, Rule(lambda x: 0 < x < 1, "a number in (0, 1)")]
"""A number in (0, 1), ends excluded."""

LARGEST = 2**32
"""Above any size or seed."""


def check_fields(config: Any) -> None:
    """Checks every field of a frozen dataclass by its type, and stores it as that type.

    A list becomes a tuple and an integer a float where the field is one. Every float must be
    finite, since JSON holds no other. A field that a derived class gives another default keeps the
    rules that it had.

    Raises:
      ValueError: "NAME: got VALUE, expected ...", of the first field at fault; or it is none.
    Example:
      >>> import dataclasses
      >>> @dataclasses.dataclass(frozen=True)
      ... class Config:
      ...     widths: tuple[Count, ...] = (200, 200)
      ...
      ...     def __post_init__(self):
      ...         check_fields(self)
      >>> Config([64])
      Config(widths=(64,))
      >>> Config((64, 0))
      Traceback (most recent call last):
      ValueError: widths: got 0, expected an integer >= 1
    """
    of_dataclass(config)
    hints: dict[str, list[Any]] = {}
    for owner in type(config).__mro__:
        if dataclasses.is_dataclass(owner):
            for name, hint in inspect.get_annotations(owner, eval_str=True).items():
                hints.setdefault(name, []).append(hint)
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        for hint in hints[field.name]:
            value = checked(field.name, value, hint)
        object.__setattr__(config, field.name, value)


def of_dataclass(config: Any) -> None:
    """Refuses what is none, or the type in place of its value.

    Raises:
      ValueError: it is.
    """
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise ValueError(f"config: got {config!r}, expected the value of a dataclass")


def checked(name: str, value: Any, hint: Any) -> Any:
    """Returns `value` as the type `hint`, annotated or not.

    Raises:
      ValueError: it is not of that type, or a rule does not accept it.
    Example:
      >>> checked("hidden", [200, 0], tuple[Count, ...])  # raises "hidden: got 0, expected ..."
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        rules = [rule for rule in arguments[1:] if isinstance(rule, Rule)]
        value = _typed(name, value, arguments[0], rules[0].expected if rules else None)
        for rule in rules:
            _obey(name, value, rule)
        return value
    return _typed(name, value, hint, None)


def _obey(name: str, value: Any, rule: Rule) -> None:
    """Raises ValueError unless `rule` accepts `value`, or every item of it."""
    for item in value if isinstance(value, tuple) and not rule.whole else (value,):
        if not rule.accepts(item):
            raise _refusal(name, item, rule.expected)


def _typed(name: str, value: Any, hint: Any, expected: str | None) -> Any:
    """Returns `value` as `hint`, which carries no rule of its own; its items' hints may."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _of_union(name, value, arguments)
    if origin is Literal:
        if not any(value is each or value == each for each in arguments):
            raise _refusal(name, value, f"one of {', '.join(map(str, arguments))}")
        return value
    if origin is tuple:
        if not isinstance(value, tuple | list):
            raise _refusal(name, value, expected or "a list")
        hints = arguments[:1] * len(value) if arguments[1:] == (...,) else arguments
        if len(hints) != len(value):
            raise _refusal(name, value, f"{len(hints)} items")
        return tuple(checked(name, *pair) for pair in zip(value, hints, strict=True))
    if hint is int:
        return _integer(name, value, expected or "an integer")
    if hint is float:
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise _refusal(name, value, expected or "a finite number")
        if not math.isfinite(value):
            raise _refusal(name, value, expected or "a finite number")
        return float(value)
    if hint is types.NoneType or hint is None:
        if value is not None:
            raise _refusal(name, value, "none")
        return value
    if isinstance(hint, type) and not isinstance(value, hint):
        raise _refusal(name, value, {str: "text", bool: "true or false"}.get(hint, hint.__name__))
    return value


def _of_union(name: str, value: Any, alternatives: tuple[Any, ...]) -> Any:
    """Returns `value` as the first alternative that takes it; the last to refuse says why."""
    if value is None and types.NoneType in alternatives:
        return None
    refusal = _refusal(name, value, "another type")
    for alternative in alternatives:
        if alternative is not types.NoneType:
            try:
                return checked(name, value, alternative)
            except ValueError as error:
                refusal = error
    raise refusal


def _integer(name: str, value: Any, expected: str) -> int:
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise _refusal(name, value, expected)
    if abs(number) >= LARGEST:
        raise _refusal(name, value, "an integer below 2**32")
    return number


def _refusal(name: str, value: Any, expected: str) -> ValueError:
    return ValueError(f"{name}: got {value!r}, expected {expected}")
