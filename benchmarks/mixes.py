"""Is a mix of estimators never worse than its best member, and where is it better?

On every problem three or two estimators and their `mix`, which learns its weights on the way from
earlier batches; each draws as many samples in the mix as alone, so the mix costs what they cost
together. Compared is the variance in the parameters of q, which is what the mix lowers: of a toy
all of them, of a network the encoder's. Into DIR go mixes.json and the page mixes.md.

  python -m benchmarks.mixes --out benchmarks/results
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from benchmarks.estimator_variance import Draws
from benchmarks.markdown import head, short, table, where
from benchmarks.networks import NETWORKS
from benchmarks.record import directory
from benchmarks.timing import environment
from benchmarks.variance_record import kind_of
from jaxgen.certify import TOYS, Problem, Row, measure
from jaxgen.data import load
from jaxgen.estimators import (
    Estimator,
    carms,
    disarm,
    leave_one_out,
    measure_valued,
    mix,
    pathwise,
    rebar,
    score_function,
    sticking_the_landing,
)
from jaxgen.workbench import (
    SEVERAL,
    Among,
    Count,
    Directory,
    Whole,
    check_fields,
    main,
    print_table,
)

BUDGET = 32
"""More evaluations than any contestant here takes: all are measured by as many draws."""
RLOO = score_function(2, baseline=leave_one_out())
MEMBERS: dict[str, dict[str, Estimator]] = {
    "bits": {"rloo": RLOO, "disarm": disarm(2), "rebar": rebar(1)},
    "categories": {"rloo": RLOO, "carms": carms(2), "rebar": rebar(1)},
    "Gaussians": {"rloo": RLOO, "pathwise": pathwise(2), "measure_valued": measure_valued(1)},
    "vae": {"pathwise": pathwise(2), "sticking_the_landing": sticking_the_landing(2)},
}
"""The members, by the kind of latents or the problem's name."""
PARTS = {"inside": ("logits",), **{name: ("encoder",) for name in NETWORKS}}
"""Parts of the params that reach q, where not all reported ones do."""


def compare(
    problem: Problem, members: Mapping[str, Estimator], num_draws: int, seed: int = 0
) -> dict[str, Any]:
    """Returns of each member and their mix: variance with its interval, evaluations, seconds.

    Example:
      compare(toy(0.45), {"rloo": score_function(2), "disarm": disarm(2)}, 2000)["mix"]
    """
    contestants = {**members, "mix": mix(tuple(members.values()))}

    def constant(estimator: Estimator) -> Callable[[int], Estimator]:
        return lambda num_samples: estimator

    rows = measure(
        problem,
        {name: constant(of) for name, of in contestants.items()},
        evaluations=(BUDGET,),
        num_draws=num_draws,
        seed=seed,
    )
    last = [row for row in rows if row.step == rows[-1].step]
    return {name: _together([r for r in last if r.estimator == name]) for name in contestants}


def _together(parts: Sequence[Row]) -> dict[str, float]:
    """The variance of all parts, whose errors may be dependent: added up."""
    variance = sum(row.variance for row in parts)
    return {
        "variance": variance,
        "low": sum(row.variance_low for row in parts),
        "high": sum(row.variance_high for row in parts),
        "worst_z": max(row.worst_z for row in parts),
        "evaluations": parts[0].evaluations,
        "seconds": parts[0].seconds_per_gradient,
    }


def against_best(found: Mapping[str, Mapping[str, float]]) -> tuple[str, float, float, float]:
    """Returns the best member, and the mix's variance over its: low end, ratio, high end."""
    members = {name: of for name, of in found.items() if name != "mix"}
    best = min(members, key=lambda name: members[name]["variance"])
    one, other = found["mix"], found[best]
    if not one["variance"] > 0 < other["variance"]:
        return best, 0.0, 0.0, 0.0
    ratio = one["variance"] / other["variance"]
    error = math.hypot(*(math.log(of["high"] / of["variance"]) for of in (one, other)))
    return best, ratio * math.exp(-error), ratio, ratio * math.exp(error)


def mixes_page(record: Mapping[str, Any]) -> str:
    """Returns the page of what was measured, with the verdict over all problems."""
    rows, better, worse = [], [], []
    for problem, found in record["problems"].items():
        best, low, ratio, high = against_best(found)
        verdict = "better" if high < 1 else "worse" if low > 1 else "alike"
        {"better": better, "worse": worse}.get(verdict, []).append(problem)
        variances = ", ".join(f"{name} {short(of['variance'])}" for name, of in found.items())
        ratios = f"{short(ratio)} ({short(low)} to {short(high)})"
        evaluations = f"{found['mix']['evaluations']} / {found[best]['evaluations']}"
        z = f"{found['mix']['worst_z']:.1f}"
        rows.append([problem, variances, best, ratios, verdict, evaluations, z])
    said = (
        f"Of {len(rows)} problems the mix is better than its best member beyond the interval on "
        f"{len(better)}{_listed(better)}, worse on {len(worse)}{_listed(worse)}."
    )
    columns = ("problem", "variance", "best member", "mix / best", "", "evaluations", "mix's |z|")
    lines = [*head("mixes"), said, "", *table(columns, rows)]
    lines += [
        f"The networks are of {record['dataset']}. In parentheses the 95% interval, of one seed. "
        "Evaluations: those of the mix, then of its best member alone, which with as many as the "
        "mix may be better still. |z|: of the mix's bias.",
        "",
    ]
    return "\n".join(lines + where(record["environment"]))


def _listed(names: Sequence[str]) -> str:
    return f" ({', '.join(names)})" if names else ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """What is measured, and how well."""

    problems: Annotated[tuple[str, ...], Among((*TOYS, *NETWORKS)), SEVERAL] = (*TOYS, *NETWORKS)
    """Problems, by name."""
    draws: Draws = 20_000
    """Gradients of each on the toys; a multiple of 20."""
    network_draws: Draws = 400
    """The same on the networks."""
    steps: Count = 300
    """Training steps of the networks, in which the mix learns."""
    dataset: str = "digits"
    """Of the networks: the embedded set (digits) or the TFDS name of a prepared image set."""
    data_dir: Directory = None
    """Where prepared TFDS sets lie; TFDS_DATA_DIR or ~/tensorflow_datasets if not given."""
    seed: Whole = 0
    """Fixes every random draw."""
    out: str = "runs/mixes"
    """Directory for mixes.json and mixes.md."""

    def __post_init__(self) -> None:
        check_fields(self)


def run(config: Config) -> dict[str, Any]:
    """Measures and prints; returns what mixes.json holds."""
    images = load(config.dataset, "train", data_dir=config.data_dir, binarization="dynamic")
    found = {}
    for name in config.problems:
        toy = name in TOYS
        problem = TOYS[name]() if toy else NETWORKS[name](images, (config.steps,))
        members = MEMBERS.get(name) or MEMBERS[kind_of(problem)]
        problem = problem._replace(parts=PARTS.get(name, problem.parts))
        draws = config.draws if toy else config.network_draws
        found[name] = compare(problem, members, draws, config.seed)
        columns = ("", *next(iter(found[name].values())))
        print_table(name, columns, [[k, *of.values()] for k, of in found[name].items()])
    record = {
        "problems": found,
        "dataset": config.dataset,
        "environment": environment(["jax", "jaxlib", "flax", "optax", "distrax"]),
    }
    out = directory(config.out)
    (out / "mixes.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (out / "mixes.md").write_text(mixes_page(record), encoding="utf-8")
    return record


if __name__ == "__main__":
    main(Config, run)
