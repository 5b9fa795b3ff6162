"""An estimator that a command line names: its file is run, its certificate is written."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.record import directory
from benchmarks.variance_report import unless_rounding
from jaxgen.certify import EstimatorReport, Problem, estimator_report
from jaxgen.estimators import ESTIMATORS, Estimator, MakeEstimator
from jaxgen.pictures import intervals
from jaxgen.workbench import progress


def load_estimator(named: str) -> MakeEstimator:
    """Returns that of `ESTIMATORS` by its name, or NAME of FILE.py, given as `FILE.py:NAME`.

    The file is run as a module of its own.

    Raises:
      ValueError: there is no such file, no such name in it, or it makes no estimator.
    Example:
      load_estimator("my_file.py:my_estimator")(2)
    """
    if named in ESTIMATORS:
        return ESTIMATORS[named]
    file, _, name = named.rpartition(":")
    path = Path(file)
    if not (file and name and path.suffix == ".py" and path.is_file()):
        raise ValueError(
            f"estimator: got {named!r}, expected FILE.py:NAME of a file that is there, or a name "
            "of jaxgen.estimators.ESTIMATORS"
        )
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    make: Any = getattr(module, name, None)
    if make is None:
        there = [x for x in vars(module) if not x.startswith("_")]
        raise ValueError(f"estimator: got {name!r}, which {path} has not, expected one of {there}")
    if not any(isinstance(_made(make, n), Estimator) for n in (1, 2, 3, 4)):
        raise ValueError(
            f"estimator: got {name} of {path}, {type(make).__name__}, expected a function "
            "`num_samples -> Estimator` of jaxgen.estimators"
        )
    return make


def _made(make: Any, num_samples: int) -> Any:
    try:
        return make(num_samples)
    except (TypeError, ValueError):  # of another form; too few samples, or not even
        return None


def certify_named(
    named: str,
    problems: Sequence[Problem],
    num_draws: int,
    out: str,
    rivals: Mapping[str, MakeEstimator] = ESTIMATORS,
) -> dict[str, Any]:
    """Prints the certificate; writes it to certificate.md and certificate.png in `out`.

    Example:
      certify_named("my_file.py:my_estimator", [toy(0.45)], 20_000, "runs/mine")
    """
    make = load_estimator(named)
    folder = directory(out)
    with progress(len(problems), unit="problem") as advance:
        report = estimator_report(
            make,
            problems,
            rivals=rivals,
            num_draws=num_draws,
            progress=lambda name: advance(1, name),
        )
    page = f"# {named}\n\n{report}\n\n![variance](certificate.png)\n"
    (folder / "certificate.md").write_text(page, "utf-8")
    draw(report, named).savefig(folder / "certificate.png")
    print(report)
    print(f"{folder}/certificate.md and .png")
    return {"holds": report.holds, "refused": dict(report.refused)}


def draw(report: EstimatorReport, name: str) -> Any:
    """Returns the picture of its variance beside the best known, relative to the score function's.

    An arrow to the left stands for rounding.

    Example:
      draw(estimator_report(disarm, [toy(0.45)]), "DisARM").savefig("certificate.png")
    """

    return intervals(
        {
            name: {of.name: unless_rounding(of.relative) for of in report.judged},
            "best known": {of.name: unless_rounding(of.best_relative) for of in report.judged},
        },
        xlabel="variance at equal evaluations, of the score function's",
        title=f"{name}: 95% intervals",
    )
