"""Dataclasses and metrics to JSON that is always valid, and configurations back, checked."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

Config = TypeVar("Config")


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Returns `value` as JSON; NumPy and JAX numbers and arrays become numbers and lists.

    A number that is not finite becomes null: JSON has no NaN.

    Raises:
      ValueError: something in `value` has no JSON form.
    Example:
      to_json({"elbo": np.float32("nan"), "kl": jnp.ones(2)})  # {"elbo": null, "kl": [1.0, 1.0]}
    """
    return json.dumps(_plain(value), indent=indent, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    raise ValueError(f"value: got {type(value).__name__}, expected something that JSON can hold")


def config_from_json(text: str, config_type: type[Config]) -> Config:
    """Returns the `config_type` that `to_json(dataclasses.asdict(config))` wrote.

    Raises:
      ValueError: the text is no JSON object, a key is unknown or missing, or a value is not of its
        field's type; the message names the field. The configuration's own checks run too.
    Example:
      config = config_from_json(Path("runs/a/config.json").read_text(), Config)
    """
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"text: got no valid JSON ({error})") from None
    hints = typing.get_type_hints(config_type)
    names = [field.name for field in dataclasses.fields(config_type)]  # type: ignore[arg-type]
    if not isinstance(values, dict) or set(values) != set(names):
        came = sorted(values) if isinstance(values, dict) else type(values).__name__
        raise ValueError(f"text: got {came}, expected an object with the keys {sorted(names)}")
    return config_type(**{name: _typed(name, values[name], hints[name]) for name in names})


def _typed(name: str, value: Any, hint: Any) -> Any:
    """Returns `value` as the type `hint`, which JSON may have changed (tuples come as lists)."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for alternative in arguments:
            try:
                return _typed(name, value, alternative)
            except ValueError:
                continue
    elif origin is typing.Literal:
        if value in arguments:
            return value
    elif origin is tuple and isinstance(value, list):
        if arguments[1:] == (...,):
            arguments = arguments[:1] * len(value)
        if len(arguments) == len(value):
            return tuple(_typed(name, v, a) for v, a in zip(value, arguments, strict=True))
    elif hint is types.NoneType and value is None:
        return None
    elif type(value) is hint:
        return value
    elif hint is float and type(value) is int:
        return float(value)
    accepted = hint.__name__ if isinstance(hint, type) else str(hint)
    raise ValueError(f"{name}: got {value!r}, expected {accepted}")
