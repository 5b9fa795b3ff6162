"""Dataclasses and metrics to JSON that is always valid, and configurations back, checked."""

from __future__ import annotations

import dataclasses
import json
import math
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from jaxgen.workbench.fields import checked

Config = TypeVar("Config")


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Returns `value` as JSON; NumPy and JAX numbers and arrays become numbers and lists.

    A number that is not finite becomes null: JSON has no NaN.

    Raises:
      ValueError: something in `value` has no JSON form.
    Example:
      >>> to_json({"elbo": np.float32("nan"), "kl": jnp.ones(2)})
      '{"elbo": null, "kl": [1.0, 1.0]}'
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
      >>> config = config_from_json(Path("runs/a/config.json").read_text(), Config)
    """
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"text: got no valid JSON ({error})") from None
    hints = typing.get_type_hints(config_type, include_extras=True)
    names = [field.name for field in dataclasses.fields(config_type)]  # type: ignore[arg-type]
    if not isinstance(values, dict) or set(values) != set(names):
        got = sorted(values) if isinstance(values, dict) else type(values).__name__
        raise ValueError(f"text: got {got}, expected an object with the keys {sorted(names)}")
    return config_type(**{name: checked(name, values[name], hints[name]) for name in names})
