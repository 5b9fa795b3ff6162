"""The command line of every recipe: flags from its `Config`, exit codes from how it ends."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import importlib.util
import itertools
import re
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from jaxgen.workbench.compiled_programs import silence_xla
from jaxgen.workbench.completion import COMPLETION
from jaxgen.workbench.config import TrainingConfig
from jaxgen.workbench.distributed import Cluster, abandon, join
from jaxgen.workbench.errors import Interrupted, TrainingFailed
from jaxgen.workbench.flags import NoFlags, parse
from jaxgen.workbench.outline import outline
from jaxgen.workbench.resuming import refuse_used, stored_config

Config = TypeVar("Config")

PACKAGE = "experiments"
"""Where `choose` looks for recipes: the package of that name in or beside the current folder."""


def main(
    config_type: type[Config],
    run: Callable[[Config], Any],
    arguments: Sequence[str] | None = None,
) -> None:
    """Reads `config_type` from the command line and runs the recipe.

    The exit code is 0 at success; 1 if the training failed or a checkpoint is damaged, or, with a
    traceback that ends in what is saved, if anything else fails; 2 for a bad argument, whether the
    parser, the configuration or the recipe refused it in a line "FIELD: got ..., expected ...";
    130, 143 and 129 after SIGINT, SIGTERM and SIGHUP, with the command that continues the run. With
    `--run-dir D --resume` the other flags are those that the run began with. A recipe that trains
    takes the flags of a `Cluster` too, all of whose processes end with the same code.

    Args:
      config_type: a frozen dataclass whose field docstrings are the help.
      run: the recipe; its module's docstring heads the help.
      arguments: in place of sys.argv[1:].
    Raises:
      SystemExit: the recipe ended in any way but well.
    Example:
      >>> if __name__ == "__main__":  # so ends a recipe
      ...     main(Config, run)
      >>> main(RunConfig, print, ["--seed", "3"])
      RunConfig(seed=3, ...)
    """
    module = sys.modules[run.__module__]
    command = _command(module)
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    # Outside the loop that saves, Ctrl-C ends the process at once and without a traceback.
    previous, cluster = signal.signal(signal.SIGINT, signal.SIG_DFL), Cluster()
    try:
        config, cluster = _configured(config_type, arguments, command, module.__doc__ or "")
        join(cluster, getattr(config, "devices", 1))
        run(config)
    except Interrupted as interrupted:
        words = ["--run-dir", str(interrupted.run_dir), "--resume", *cluster.flags()]
        again = shlex.join(words)
        message = f"{interrupted}\ncontinue with: {command} {again}"
        _leave(128 + interrupted.signum, message)
    except TrainingFailed as failure:
        _leave(1, f"error: {failure}")
    except ValueError as error:
        code = _exit_code(error, config_type)
        if sys.flags.dev_mode or code is None:
            abandon()
            raise
        _leave(code, f"error: {error}")
    except Exception:
        abandon()
        raise
    finally:
        signal.signal(signal.SIGINT, previous)


def recipes() -> dict[str, Path]:
    """Returns the source of each recipe by name."""
    spec = importlib.util.find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec is not None else None
    return {
        path.stem: path
        for folder in folders or ()
        for path in sorted(Path(folder).glob("[a-z]*.py"))
    }


def choose(arguments: Sequence[str]) -> None:
    """Runs the recipe that `arguments` begin with, or lists all if there are none.

    What can be said without importing the recipe, and JAX with it, is said before: the list, the
    help, and that the run directory is used.

    Raises:
      SystemExit: with code 2 for an unknown name; otherwise as `main`.
    Example:
      >>> choose(["--help"])  # choose(["vae", "--epochs", "3"]) runs one
      usage: python -m experiments [NAME [--help] [OPTIONS]]
      ...
    """
    known = recipes()
    if not arguments or arguments[0] in ("-h", "--help"):
        usage = (
            f"usage: python -m {PACKAGE} [NAME [--help] [OPTIONS]]\n"
            f"       python -m {PACKAGE} compare RUN RUN... [--output FILE]\n"
            f"       python -m {PACKAGE} completion\n\n"
        )
        usage = usage if arguments else ""
        print(usage + _listing(known))
        return
    name, *flags = arguments
    if name == "completion":
        print(COMPLETION)
        return
    if name == "compare":
        from jaxgen.workbench.compare import compare

        try:
            compare(flags, f"python -m {PACKAGE} compare")
        except ValueError as error:
            _leave(2, f"error: {error}")
        return
    if name not in known:
        _leave(2, f"error: recipe: got {name!r}, expected one of\n{_listing(known)}")
    place = _run_dir(flags)
    alone = not {"--distributed", "--coordinator"} & {word.partition("=")[0] for word in flags}
    # Of several processes another may have made the directory already.
    if place is not None and alone and "--resume" not in flags and not _asks_for_help(flags):
        try:
            refuse_used(place)
        except ValueError as error:
            _leave(2, f"error: {error}")
    module = f"{PACKAGE}.{name}"
    if _asks_for_help(flags) and module not in sys.modules:
        recipe = outline(known[name], module)
        _configured(recipe.Config, flags, _command(recipe), recipe.__doc__ or "")
    silence_xla()
    recipe = importlib.import_module(module)
    main(recipe.Config, recipe.run, flags)


def _listing(known: dict[str, Path]) -> str:
    """Returns the first docstring line of each recipe, read without importing any."""
    width = max(map(len, known), default=0)
    lines = []
    for name, path in known.items():
        doc = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
        lines.append(f"{name:<{width}}  {doc.partition(chr(10))[0]}")
    return "\n".join(lines)


def _configured(
    config_type: type[Config], arguments: Sequence[str], command: str, description: str
) -> tuple[Config, Cluster]:
    """Returns the configuration, of a run to resume by the flags that it began with; the cluster.

    What does not train is of this process alone.
    """
    stored, place = None, _run_dir(arguments)
    if place is not None and "--resume" in arguments and not _asks_for_help(arguments):
        stored = stored_config(place, config_type)
    shown = {"command": command, "description": description}
    if not issubclass(config_type, TrainingConfig):
        return parse(config_type, arguments, NoFlags, stored=stored, **shown)[0], Cluster()
    return parse(config_type, arguments, Cluster, stored=stored, **shown)


def _run_dir(arguments: Sequence[str]) -> str | None:
    """Returns the value of --run-dir, or None if it has none."""
    for word, following in itertools.zip_longest(arguments, arguments[1:]):
        if word == "--run-dir":
            return following
        if word.startswith("--run-dir="):
            return word.partition("=")[2]
    return None


def _asks_for_help(arguments: Sequence[str]) -> bool:
    return bool({"-h", "--help"} & set(arguments))


def _command(module: Any) -> str:
    """Returns how the recipe is called."""
    if module.__name__ == "__main__" and not module.__spec__:  # a script of one's own
        return f"python {shlex.quote(str(getattr(module, '__file__', '-')))}"
    name = module.__spec__.name if module.__spec__ else module.__name__
    return f"python -m {name.replace('.', ' ', 1) if name.startswith(PACKAGE) else name}"


def _exit_code(error: ValueError, config_type: type) -> int | None:
    """Returns 2 if a flag is at fault, 1 if a checkpoint is, None if a traceback has to say."""
    found = re.match(r"(\w+): ", str(error))
    flags = {field.name for of in (config_type, Cluster) for field in dataclasses.fields(of)}
    if found is not None and found[1] in flags:
        return 2
    from jaxgen.train import CheckpointError  # not before: help must not wait for JAX

    return 1 if isinstance(error, CheckpointError) else None


def _leave(code: int, message: str) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(code)
