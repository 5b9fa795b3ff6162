"""What a JSON file says, asked for by kind: anything else is refused with its file and place."""

from __future__ import annotations

import json
import re
import reprlib
from pathlib import Path
from typing import Any, NamedTuple

_MISSING: Any = object()


class Node(NamedTuple):
    """A value in a JSON file.

    Attributes:
      file: where it was read.
      place: its path in the file, such as .splits[0].name.
      value: what stands there.
    """

    file: Path
    place: str
    value: Any

    def get(self, name: str, default: Any = _MISSING) -> Node:
        """Returns the member `name` of an object, or `default` where there is none.

        Raises:
          ValueError: this is no object, or has no such member and there is no default.
        """
        value = self.members().get(name, default)
        if value is _MISSING:
            raise self.refusal(f"an object with the member {name!r}")
        return self._replace(place=f"{self.place}.{name}", value=value)

    def members(self) -> dict[str, Any]:
        """Returns the values of an object by their names."""
        if not isinstance(self.value, dict):
            raise self.refusal("an object")
        return self.value

    def items(self) -> list[Node]:
        """Returns the items of a list."""
        if not isinstance(self.value, list):
            raise self.refusal("a list")
        return [
            self._replace(place=f"{self.place}[{i}]", value=value)
            for i, value in enumerate(self.value)
        ]

    def text(self) -> str:
        """Returns a text."""
        if not isinstance(self.value, str):
            raise self.refusal("a text")
        return self.value

    def number(self) -> int:
        """Returns a whole number, also one in quotes, as JSON has those of 64 bits."""
        digits = re.fullmatch("[0-9]{1,19}", str(self.value))
        if not digits or isinstance(self.value, float):
            raise self.refusal("a whole number")
        return int(digits[0])

    def refusal(self, expected: str) -> ValueError:
        """Returns the error that this is not what was expected."""
        got, place = reprlib.repr(self.value), self.place or "its top"
        return ValueError(f"data_dir: {self.file} has {got} at {place}, expected {expected}")


def read_json(path: Path) -> Node:
    """Returns what the file holds.

    Raises:
      ValueError: it cannot be read, or is no JSON.
    Example:
      >>> read_json(folder / "dataset_info.json").get("name").text()
    """
    try:
        return Node(path, "", json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"data_dir: {path} cannot be read ({error})") from None
