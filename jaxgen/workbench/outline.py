"""The flags of a recipe without the rest of it, so that help need not wait for JAX."""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Iterator
from pathlib import Path


def outline(path: Path, name: str) -> types.ModuleType:
    """Returns a module with the recipe's docstring, its `Config` and what that needs, no more.

    Statements that do not lead to `Config` are not executed, imports among them; nor is what stands
    in functions loaded. Of a table by names, as `Among` takes it, the names alone are kept: what
    they stand for has no part in the help. The module stands under `name` in `sys.modules`, for the
    process that shows the help and ends.

    Args:
      path: of the recipe's source.
      name: of its module.
    Raises:
      KeyError: there is no `Config` at the top of the file.
    Example:
      >>> outline(Path("experiments/vae.py"), "experiments.vae").Config
    """
    tree = ast.parse(path.read_text("utf-8"))
    statements = [_names_alone(statement) for statement in tree.body]
    makers = {made: statement for statement in statements for made in _made(statement)}
    needed: set[ast.stmt] = set()
    waiting = [makers["Config"]]
    wanted = {"Config"}
    while waiting:
        statement = waiting.pop()
        if statement not in needed:
            needed.add(statement)
            names = set(_used(statement)) & makers.keys()
            wanted |= names
            waiting += [makers[name] for name in names]
    body = [_only(s, wanted) for s in statements if s in needed or _from_future(s)]
    module = types.ModuleType(name, ast.get_docstring(tree))
    module.__file__ = str(path)
    sys.modules[name] = module
    exec(compile(ast.Module(body, []), str(path), "exec"), module.__dict__)
    return module


def _made(statement: ast.stmt) -> list[str]:
    """Returns the names that a statement at the top of a module defines."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name.partition(".")[0] for alias in statement.names]
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    return [node.id for t in targets if t for node in ast.walk(t) if isinstance(node, ast.Name)]


def _used(node: ast.AST, in_class: bool = False) -> Iterator[str]:
    """Yields the names that must exist when the statement is executed, or its fields are read."""
    if isinstance(node, ast.Name):
        yield node.id
    skipped: list[object] = []
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        skipped = [*node.body, node.returns, node.args]
        for default in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            yield from _used(default)
    elif isinstance(node, ast.Lambda):
        skipped = [node.body]
    elif isinstance(node, ast.AnnAssign) and not in_class:
        skipped = [node.annotation]
    for child in ast.iter_child_nodes(node):
        if child not in skipped:
            yield from _used(child, in_class or isinstance(node, ast.ClassDef))


def _names_alone(statement: ast.stmt) -> ast.stmt:
    """Returns the assignment of a table without its values; any other statement as it is."""
    table = getattr(statement, "value", None)
    if not isinstance(statement, ast.Assign | ast.AnnAssign) or not isinstance(table, ast.Dict):
        return statement
    if all(isinstance(key, ast.Constant) for key in table.keys):
        table.values = [ast.copy_location(ast.Constant(None), value) for value in table.values]
    return statement


def _only(statement: ast.stmt, wanted: set[str]) -> ast.stmt:
    """Returns an import without the names that nobody wants; any other statement as it is."""
    if not isinstance(statement, ast.ImportFrom) or _from_future(statement):
        return statement
    names = [alias for alias in statement.names if (alias.asname or alias.name) in wanted]
    return ast.copy_location(ast.ImportFrom(statement.module, names, statement.level), statement)


def _from_future(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
