"""A face whose names are imported when they are first used."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Callable, Collection
from typing import Any

from jaxgen.boundary import behind_a_door


def first_use(face: str, names: Collection[str]) -> Callable[[str], Any]:
    """Returns the `__getattr__` of a module that imports `names` for type checkers alone.

    Where a name is to be found is what the module's `if TYPE_CHECKING:` block says.

    Args:
      face: the module's name.
      names: its `__all__`.
    Example:
      >>> __getattr__ = first_use(__name__, __all__)
    """

    def get(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {face!r} has no attribute {name!r}")
        try:
            return behind_a_door(getattr(importlib.import_module(_home_of(name, face)), name))
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing not in ("filelock", "matplotlib", "rich", "tyro"):
                raise
            raise ImportError(
                f"{face}.{name} needs {missing}: pip install 'jaxgen[workbench]'"
            ) from error

    return get


def _home_of(name: str, face: str) -> str:
    for node in ast.walk(ast.parse(inspect.getsource(sys.modules[face]))):
        if isinstance(node, ast.ImportFrom) and name in [alias.name for alias in node.names]:
            return str(node.module)
    raise AssertionError(name)
