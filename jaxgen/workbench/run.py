"""One run of a recipe, from its configuration to the tables at the end."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import jax

from jaxgen.train import on_first_process
from jaxgen.workbench.compiled_programs import keep_compiled_programs
from jaxgen.workbench.config import RunConfig
from jaxgen.workbench.errors import Interrupted
from jaxgen.workbench.opening import new_path, open_run
from jaxgen.workbench.progress_bar import loudness
from jaxgen.workbench.requirements import require_devices
from jaxgen.workbench.resuming import refuse_other_config, refuse_used, stored_config
from jaxgen.workbench.run_directory import RunDirectory
from jaxgen.workbench.table import print_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Config = TypeVar("Config", bound=RunConfig)


class Table(NamedTuple):
    """A table of the result.

    Attributes:
      title: above it.
      columns: headings, with units.
      rows: one entry per column each.
    Example:
      >>> table = Table("Games", ["", "plain"], [["entropy of the modes", 0.98]])
      >>> print_table(*table)
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]

    @classmethod
    def of(
        cls, title: str, labels: Mapping[str, str], columns: Mapping[str, Mapping[str, Any]]
    ) -> Table:
        """Returns a row for each of `labels`, a column for each result; "-" where it has none.

        Example:
          >>> Table.of("Games", {"entropy": "entropy of the modes"}, {"plain": {"entropy": 0.98}})
        """
        rows = [
            [label, *("-" if of[name] is None else float(of[name]) for of in columns.values())]
            for name, label in labels.items()
        ]
        return cls(title, ["", *columns], rows)


class Run:
    """What `begin` opens, trainings add to and `finish` closes.

    Attributes:
      config: the recipe's.
      title: "" for the whole run, the part's name for a part of it.
    Example:
      >>> run = begin(RunConfig(run_dir="runs/finished"))
      >>> result = run.finish({"nll": 93.1}, {}, [Table("VAE", ["", "nats"], [["NLL", 93.1]])])
      >>> result["nll"]
      93.1
    """

    def __init__(self, config: RunConfig, path: Path, title: str = "", whole: Run | None = None):
        self.config = config
        self.title = title
        self._path = path
        self._whole = whole
        self._directory: RunDirectory | None = None
        self._begun = time.monotonic()
        self._training = 0.0  # of the trainings, interrupted and resumed ones in all
        self._waited = 0.0  # for them, in this process

    @property
    def directory(self) -> RunDirectory:
        """The directory, made when it is first asked for: a refused argument leaves nothing."""
        if self._directory is None and self._whole is None:
            resume = getattr(self.config, "resume", False)
            self._directory = open_run(self._path, self.config, resume=resume)
            if loudness.get() != "quiet":
                print(f"run directory: {self._directory.path}")
            if loudness.get() == "verbose":
                print(f"jax {jax.__version__}, {jax.device_count()} devices: {jax.devices()[0]}")
        elif self._directory is None and self._whole is not None:
            self._directory = self._whole.directory.of_part(self.title)
        assert self._directory is not None
        return self._directory

    def records(self) -> list[dict[str, Any]]:
        """Returns what every epoch of this training recorded."""
        return self.directory.metrics()

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[Run]:
        """Yields the run of one of several trainings, in a directory of its own within this one.

        Interrupted within the block, it is the whole run that is to be resumed: finished trainings
        are then read back from their checkpoints.

        Raises:
          Interrupted: as the block does, in the name of the whole run.
        Example:
          >>> with out.part("beta_4") as part:
          ...     trained = train(part, ...)
        """
        try:
            yield Run(self.config, self.directory.path / name, name, self)
        except Interrupted as interrupted:
            saved = f"the last epoch of {name} is saved"
            raise Interrupted(interrupted.signum, self.directory.path, saved) from None

    def add_training(self, recorded: float, waited: float) -> None:
        """Counts a training: the seconds that it recorded, and those spent on it just now."""
        self._training += recorded
        self._waited += waited
        if self._whole is not None:
            self._whole.add_training(recorded, waited)

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of the training, and of everything, over all times that it was resumed."""
        rest = time.monotonic() - self._begun - self._waited
        training = {"training_seconds": self._training} if self._training else {}
        return {**training, "seconds": self._training + rest}

    def finish(
        self,
        result: Mapping[str, Any],
        figures: Mapping[str, Figure],
        tables: Sequence[Table],
        notes: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Saves the pictures and the result, prints tables, notes and where everything is.

        Args:
          result: what result.json shall hold; the `seconds` are added.
          figures: by the names of their files.
          tables: of the result.
          notes: lines below them.
        Returns:
          The result.
        Example:
          >>> return out.finish(result, {"samples": image_grid(x)}, [Table("VAE", columns, rows)])
        """
        pictures = [self.directory.save_picture(name, figure) for name, figure in figures.items()]
        result = {**result, **self.seconds}
        self.directory.write_result(result)
        page = self.directory.write_page()
        if loudness.get() == "quiet":
            return result
        for table in tables:
            print_table(*table)
        print(*notes, f"time: {result['seconds']:.1f} seconds", sep="\n")
        if pictures:
            print("pictures:", *pictures, sep="\n  ")
        print(f"page: {page}")
        print(f"everything: {self.directory.path}")
        return result


def config_of(run: Run, kind: type[Config]) -> Config:
    """Returns the run's configuration, which is to be of a kind.

    Raises:
      ValueError: it is of another.
    """
    if not isinstance(run.config, kind):
        raise ValueError(
            f"run: got one of a {type(run.config).__name__}, expected one of a {kind.__name__}"
        )
    return run.config


def begin(config: RunConfig) -> Run:
    """Returns the run that `config` asks for, its clock started and its devices there.

    Call it before anything else touches JAX. Nothing is written yet. How much is said from now on
    goes by its `quiet` and `verbose`.

    Raises:
      ValueError: there are too few devices; run_dir is used, or holds no run that `config` resumes.
    Example:
      >>> run = begin(RunConfig(run_dir="runs/begun"))  # nothing is written yet
      >>> run.title
      ''
    """
    quiet, verbose = (getattr(config, flag, False) for flag in ("quiet", "verbose"))
    loudness.set("quiet" if quiet else "verbose" if verbose else "usual")
    if config.compilation_cache:
        keep_compiled_programs()
    require_devices(getattr(config, "devices", 1))
    return Run(config, Path(on_first_process(lambda: _place(config))))


def _place(config: RunConfig) -> str:
    """Returns the path of the directory that the run may use."""
    path = Path(config.run_dir or new_path(recipe_name(type(config))))
    if getattr(config, "resume", False):
        refuse_other_config(path, stored_config(path, type(config)), config)
    else:
        refuse_used(path)
    return str(path)


def recipe_name(config_type: type) -> str:
    """Returns the name of the file that defines a recipe's configuration.

    Example:
      >>> recipe_name(experiments.vae.Config)  # "vae"
    """
    module = config_type.__module__
    if module == "__main__":
        path = getattr(sys.modules[module], "__file__", None)
        return Path(path).stem if path else "notebook"
    return module.rpartition(".")[2]
