"""How noisy, how biased and how dear is each gradient estimator, on each problem it accepts?

Each estimator gets the same evaluations of f, on the same trajectory of params: toy problems whose
gradient is known, belief networks and VAEs along their training. The estimators are those of
`jaxgen.estimators.ESTIMATORS` and `network_estimators`. Into DIR go estimators.json, the page
estimators.md and its pictures.

  export XLA_FLAGS=--xla_backend_optimization_level=1
  python -m benchmarks.estimator_variance --dataset fashion_mnist --out benchmarks/results

Most of the time goes into compiling each estimator at each budget: with that flag a fifth of it,
for gradients that take a third longer. A run that was killed goes on after the last problem that it
ended, when the same command is given again: until the end, DIR/estimators.json.part holds them.

With `--quick` it takes three minutes, on the embedded digits. An estimator of your own,
`num_samples -> Estimator`, stands beside the known ones by FILE.py:NAME, here on a belief network:

  python -m benchmarks.estimator_variance --problems sbn_nonlinear --estimators rloo my_file.py:mine

By `--estimator` its certificate is written instead: which toy problems it accepts, whether a bias
is seen, its variance beside the best known, its price.

  python -m benchmarks.estimator_variance --estimator my_file.py:my_estimator --out DIR
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from benchmarks.named_estimator import certify_named, load_estimator
from benchmarks.networks import NETWORKS
from benchmarks.record import directory
from benchmarks.timing import environment
from benchmarks.variance_page import variance_page
from benchmarks.variance_record import budgets_of, in_lines, kind_of, to_record
from benchmarks.variance_report import pictures
from jaxgen import estimators
from jaxgen.certify import GROUPS, TOYS, accepted, measure, tables
from jaxgen.data import load
from jaxgen.estimators import MakeEstimator, network_estimators, score_function
from jaxgen.nets import MLP
from jaxgen.workbench import (
    RISING,
    SEVERAL,
    Among,
    Count,
    Directory,
    Rule,
    Whole,
    check_fields,
    main,
    print_table,
    progress,
)

_NETWORK = MLP((100,), ())
ESTIMATORS: dict[str, MakeEstimator] = {
    **estimators.ESTIMATORS,
    **network_estimators(_NETWORK, _NETWORK),
}
"""`num_samples -> Estimator`, by name."""

Draws: TypeAlias = Annotated[
    int, Rule(lambda n: n >= 2 * GROUPS and n % GROUPS == 0, "a multiple of 20, at least 40")
]
"""Gradients per cell."""

NAMED = Rule(
    lambda name: name in ESTIMATORS or ".py:" in name,
    f"{Among(ESTIMATORS).expected}; or FILE.py:NAME",
)
"""An estimator of the table, or one's own."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """What is measured, and how well."""

    problems: Annotated[tuple[str, ...], Among((*TOYS, *NETWORKS)), SEVERAL] = (*TOYS, *NETWORKS)
    """Problems, by name."""
    estimators: Annotated[tuple[str, ...], NAMED, SEVERAL] = tuple(ESTIMATORS)
    """Estimators, by name, or by FILE.py:NAME your own, whose file is run; each is tried on the
    problems that it accepts."""
    estimator: str | None = None
    """FILE.py:NAME, an estimator of your own, whose file is run, to certify on the toy problems; or
    a name of `jaxgen.estimators.ESTIMATORS`."""
    quick: bool = False
    """Fewer problems, points, budgets and draws (where the flags leave them at their defaults)."""
    evaluations: Annotated[tuple[Count, ...], RISING] = (2, 4, 8, 16)
    """Budgets: evaluations of f per datapoint and gradient, on the toy problems."""
    network_evaluations: Annotated[tuple[Count, ...], RISING] = (2, 8)
    """The same on the networks, where what learns is trained at each budget."""
    draws: Draws = 20_000
    """Gradients per cell, on the problems whose gradient is known; a multiple of 20."""
    network_draws: Draws = 400
    """Gradients per cell on the networks, a multiple of 20."""
    steps: Annotated[tuple[Count, ...], RISING] = (300, 1000)
    """Training steps of the networks after which the gradients are measured."""
    dataset: str = "digits"
    """Of the networks: the embedded set (digits) or the TFDS name of a prepared image set."""
    data_dir: Directory = None
    """Where prepared TFDS sets lie; TFDS_DATA_DIR or ~/tensorflow_datasets if not given."""
    seed: Whole = 0
    """Fixes the training and every random draw."""
    out: str = "runs/estimator_variance"
    """Directory for estimators.json, estimators.md and the pictures."""

    def __post_init__(self) -> None:
        check_fields(self)


QUICK: dict[str, Any] = {
    "problems": ("quadratic", "toy_0.45", "sbn_linear"),
    "evaluations": (2,),
    "network_evaluations": (2,),
    "draws": 4000,
    "network_draws": 40,
    "steps": (100,),
}
"""What --quick changes of the defaults."""


def run(config: Config) -> dict[str, Any]:
    """Measures, prints and draws everything; returns what estimators.json holds."""
    if config.quick:
        default = Config()
        kept = {k: v for k, v in QUICK.items() if getattr(config, k) == getattr(default, k)}
        config = dataclasses.replace(config, **kept)
    if config.estimator is not None:
        toys = [TOYS[name]() for name in config.problems if name in TOYS]
        return certify_named(config.estimator, toys, config.draws, config.out)
    fields = dataclasses.asdict(config)
    tried = _by_short_name(config.estimators)
    out = directory(config.out)
    directory(f"{out}/pictures")
    part = out / "estimators.json.part"
    record = _begun(fields, part)
    images = load(config.dataset, "train", data_dir=config.data_dir, binarization="dynamic")
    left = [name for name in config.problems if name not in record["kinds"]]
    with progress(len(left), unit="problem") as advance:
        for name in left:
            start, cpu = time.monotonic(), time.process_time()
            problem = TOYS[name]() if name in TOYS else NETWORKS[name](images, config.steps)
            rows = measure(
                problem,
                # What all are compared with is always there.
                accepted(problem, {"score_function": score_function, **tried}),
                evaluations=budgets_of(fields, name),
                num_draws=config.draws if name in TOYS else config.network_draws,
                seed=config.seed,
            )
            for table in tables(rows):
                print_table(*table)
            record["kinds"][name] = kind_of(problem)
            record["seconds"] = round(record["seconds"] + time.monotonic() - start, 1)
            record["cpu_seconds"] = round(record["cpu_seconds"] + time.process_time() - cpu, 1)
            record["rows"] += to_record(rows)["rows"]
            draft = part.with_suffix(".draft")
            draft.write_text(in_lines(record), encoding="utf-8")
            draft.replace(part)
            advance(1, name)
    part.replace(out / "estimators.json")
    (out / "estimators.md").write_text(variance_page(record), encoding="utf-8")
    for name, figure in pictures(record).items():
        figure.savefig(out / "pictures" / f"{name}.png")
    count = len(record["rows"])
    print(f"{count} rows in {record['seconds']} s: {out}/estimators.json, .md and pictures/")
    return record


def _by_short_name(names: Sequence[str]) -> dict[str, MakeEstimator]:
    """The estimators; one's own without the folder of its file."""
    found: dict[str, MakeEstimator] = {}
    for name in names:
        short = Path(name).name
        if short in found:
            raise ValueError(f"estimators: got {short} twice, expected other names of files")
        found[short] = ESTIMATORS.get(name) or load_estimator(name)
    return found


def _begun(fields: Mapping[str, Any], part: Path) -> dict[str, Any]:
    """Returns what a killed run of the same command has measured here; else a record of nothing."""
    record = {
        "config": {k: v for k, v in fields.items() if k not in PLACES},
        "seconds": 0.0,
        "cpu_seconds": 0.0,
        "environment": environment(["jax", "jaxlib", "flax", "optax", "distrax"]),
        "kinds": {},
        **to_record([]),
    }
    record = json.loads(in_lines(record))
    if part.exists():
        found = json.loads(part.read_text(encoding="utf-8"))
        same = ("config", "columns")
        if all(found[k] == record[k] for k in same) and _machine(found) == _machine(record):
            return found
    return record


def _machine(record: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in record["environment"].items() if k != "load_average"}


PLACES = ("data_dir", "out")  # say where, not what

if __name__ == "__main__":
    main(Config, run)
