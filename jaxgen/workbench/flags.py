"""A configuration from the words of a command line, and the help that says what may be given."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import inspect
import io
import itertools
import os
import shutil
import sys
import textwrap
import typing
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

import tyro

from jaxgen.workbench.fields import Rule

Config = TypeVar("Config")
Besides = TypeVar("Besides")


@dataclasses.dataclass(frozen=True)
class NoFlags:
    """None besides those of the configuration."""


def parse(
    config_type: type[Config],
    arguments: Sequence[str],
    besides: type[Besides],
    *,
    command: str,
    description: str,
    stored: Config | None = None,
) -> tuple[Config, Besides]:
    """Returns the `config_type` that `arguments` ask for, and the `besides`.

    Args:
      config_type: a dataclass whose field docstrings are the help.
      arguments: the words after the command.
      besides: another such dataclass, of flags that are no part of the configuration.
      command: as usage shows it.
      description: heads the help; its paragraphs are wrapped, indented lines kept.
      stored: what the arguments leave as it is; the type's own defaults if not given.
    Raises:
      SystemExit: help was asked for (code 0), or an argument is unknown or unreadable (2).
      ValueError: a value is refused by the configuration; the message names the field.
    Example:
      >>> config, _ = parse(
      ...     Config, sys.argv[1:], NoFlags, command="python vae.py", description=__doc__
      ... )
    """
    hints, fields = {}, []
    for owner in (config_type, besides):
        hints |= typing.get_type_hints(owner, include_extras=True)
        for field in dataclasses.fields(owner):  # type: ignore[arg-type]
            default = getattr(stored, field.name, field.default)
            text = f"{_doc(owner, field.name)} {_names(hints[field.name])}".strip()
            hint = Annotated[hints[field.name], tyro.conf.arg(help=text)]
            fields.append((field.name, hint, dataclasses.field(default=default)))
    _refuse_value_of_switch(hints, arguments)
    # The same flags without the checks, whose refusals are told apart from the parser's.
    unchecked = dataclasses.make_dataclass(config_type.__name__, fields, kw_only=True)
    shown = _Shown(sys.stdout)
    # What a run began with may be said again: a switch that is on by default has both words then.
    switches = (tyro.conf.FlagCreatePairsOff,) if stored is None else ()
    try:
        with contextlib.redirect_stdout(shown):
            values = tyro.cli(
                unchecked,
                prog=command,
                description="",
                args=list(arguments),
                config=switches,
            )
    except SystemExit:
        usage, _, rest = shown.getvalue().partition("\n\n")
        if rest:
            text = _wrapped(f"{usage}\n\n{description.strip()}")
            sys.stdout.write(f"{text}\n\n{rest}")
        raise
    return _made(config_type, values), _made(besides, values)


def _made(owner: type[Config], values: Any) -> Config:
    """Returns the dataclass of those of the values that it has fields for."""
    names = [field.name for field in dataclasses.fields(owner)]  # type: ignore[arg-type]
    return owner(**{name: getattr(values, name) for name in names})


def _refuse_value_of_switch(hints: dict[str, Any], arguments: Sequence[str]) -> None:
    """Raises ValueError for a word after a flag that takes none, as in `--resume maybe`."""
    for flag, word in itertools.pairwise(arguments):
        name = flag.removeprefix("--").removeprefix("no-").replace("-", "_")
        if flag.startswith("--") and hints.get(name) is bool and not word.startswith("-"):
            raise ValueError(f"{name}: got {word!r}, expected nothing: {flag} is a switch")


def _doc(config_type: type, name: str) -> str:
    """Returns the docstring of a field on one line, from the nearest class that gives it one."""
    for owner in config_type.__mro__:
        if dataclasses.is_dataclass(owner) and (text := _docs_of(owner).get(name)):
            return " ".join(text.split())
    return ""


def _names(hint: Any) -> str:
    """Returns a sentence of the names that a field may have, if its rule is `Among` them."""
    rules = [rule for rule in getattr(hint, "__metadata__", ()) if isinstance(rule, Rule)]
    return "".join(f"O{rule.expected[1:]}." for rule in rules if rule.expected.startswith("one of"))


def _docs_of(owner: type) -> dict[str, str]:
    """Returns the strings that stand below the fields of one class."""
    try:
        source = textwrap.dedent(inspect.getsource(owner))
    except (OSError, TypeError):  # of a class that was made in an interpreter
        return {}
    body = typing.cast(ast.ClassDef, ast.parse(source).body[0]).body
    docs = {}
    for field, below in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
            text = getattr(below.value, "value", None)
            if isinstance(field.target, ast.Name) and isinstance(text, str):
                docs[field.target.id] = text
    return docs


def _wrapped(description: str) -> str:
    """Returns the text no wider than the terminal, nor than 100, but for indented lines."""
    width = min(100, shutil.get_terminal_size().columns)
    paragraphs = []
    for paragraph in description.split("\n\n"):
        indented = any(line.startswith(" ") for line in paragraph.split("\n"))
        paragraphs.append(paragraph if indented else textwrap.fill(paragraph, width))
    return "\n\n".join(paragraphs)


class _Shown(io.StringIO):
    """Takes what is printed; a terminal, for colors, if the true stream is and NO_COLOR is not."""

    encoding = "utf-8"
    """By which the lines around the options are chosen."""

    def __init__(self, stream: Any):
        super().__init__()
        self._colors = stream.isatty() and not os.environ.get("NO_COLOR")
        self.encoding = getattr(stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        return self._colors
