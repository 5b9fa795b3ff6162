"""The command line of every recipe: flags from its `Config`, exit codes from how it ends."""

from __future__ import annotations

import ast
import importlib
import inspect
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import tyro

from jaxgen.workbench.errors import Interrupted, TrainingFailed

Config = TypeVar("Config")

RECIPES = Path(__file__).parents[2] / "experiments"


def main(
    config_type: type[Config],
    run: Callable[[Config], Any],
    arguments: Sequence[str] | None = None,
) -> None:
    """Reads `config_type` from the command line and runs the recipe.

    The exit code is 0 at success; 1 if the training failed; 2 for a bad argument, whether the
    parser, the configuration or the recipe refused it (one line says which and why; the traceback
    shows under `python -X dev`); 130 and 143 after SIGINT and SIGTERM, with the command that
    continues the run.

    Args:
      config_type: a frozen dataclass whose field docstrings are the help.
      run: the recipe; its module's docstring heads the help.
      arguments: in place of sys.argv[1:].
    Raises:
      SystemExit: the recipe ended in any way but well.
    Example:
      if __name__ == "__main__":
        main(Config, run)
    """
    module = sys.modules[run.__module__]
    name = module.__spec__.name if module.__spec__ else module.__name__
    command = f"python -m {name.replace('.', ' ')}"
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    config = tyro.cli(
        config_type,
        prog=command,
        description=inspect.getdoc(module),
        args=arguments,
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    # Outside the loop that saves, Ctrl-C ends the process at once and without a traceback.
    previous = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        run(config)
    except Interrupted as interrupted:
        again = shlex.join(_resumed(arguments, str(interrupted.run_dir)))
        message = f"{interrupted}\ncontinue with: {command} {again}"
        _leave(128 + interrupted.signum, message)
    except TrainingFailed as failure:
        _leave(1, f"error: {failure}")
    except ValueError as error:
        if sys.flags.dev_mode:
            raise
        _leave(2, f"error: {error}")
    finally:
        signal.signal(signal.SIGINT, previous)


def recipes() -> dict[str, str]:
    """Returns the first docstring line of each recipe by name, read without importing any."""
    return {
        path.stem: (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").partition("\n")[0]
        for path in sorted(RECIPES.glob("[a-z]*.py"))
    }


def choose(arguments: Sequence[str]) -> None:
    """Runs the recipe that `arguments` begin with, or lists all if there are none.

    Raises:
      SystemExit: with code 2 for an unknown name; otherwise as `main`.
    Example:
      choose(["vae", "--epochs", "3"])
    """
    known = recipes()
    width = max(map(len, known), default=0)
    listing = "\n".join(f"{name:<{width}}  {line}" for name, line in known.items())
    if not arguments:
        print(listing)
    elif arguments[0] in ("-h", "--help"):
        print(f"usage: python -m experiments [NAME [--help] [OPTIONS]]\n\n{listing}")
    elif arguments[0] not in known:
        _leave(2, f"error: recipe: got {arguments[0]!r}, expected one of\n{listing}")
    else:
        recipe = importlib.import_module(f"experiments.{arguments[0]}")
        main(recipe.Config, recipe.run, arguments[1:])


def _resumed(arguments: Sequence[str], run_dir: str) -> list[str]:
    """Returns the arguments that continue a run, with its directory named once."""
    kept, words = [], iter(arguments)
    for word in words:
        if word == "--run-dir":
            next(words, None)
        elif word != "--resume" and not word.startswith("--run-dir="):
            kept.append(word)
    return [*kept, "--run-dir", run_dir, "--resume"]


def _leave(code: int, message: str) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(code)
