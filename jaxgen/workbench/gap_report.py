"""What a recipe reports of inference gaps: their parts, how far to trust them, pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxgen.inference import InferenceGap
from jaxgen.pictures import against_steps, stacked_bars
from jaxgen.workbench.gaps import TwoSided
from jaxgen.workbench.run import Table
from jaxgen.workbench.summary import mean_over_images

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PARTS = ("approximation", "amortization", "generalization")
"""Of the gap."""


class GapReport(NamedTuple):
    """What a recipe reports of the gaps of one encoder.

    Attributes:
      result: `gaps`, by the name of a set and of a part its mean and standard error in nats per
        image; `acceptance` of HMC; `drawn_...`, the bounds from both sides.
      figure: the parts, stacked.
      table: of them.
      note: how far to trust them.
    Example:
      >>> report = GapReport(
      ...     {"acceptance": 0.9}, blank(4.0, 3.0), Table("Gaps", [], []), "HMC: 90%"
      ... )
      >>> report.note
      'HMC: 90%'
    """

    result: dict[str, Any]
    figure: Figure
    table: Table
    note: str


def report_gaps(gaps: Mapping[str, InferenceGap], drawn: TwoSided, name: str) -> GapReport:
    """Returns what is reported of gaps measured on several sets of images.

    Args:
      gaps: by the name of the set, that of `acceptance` last.
      drawn: as `bound_draws` returns it.
      name: of the encoder.
    Example:
      >>> elbo = np.array([-90.0, -91.0])  # of two images
      >>> moves = HMCInfo(np.full((2, 8, 50), 0.9), None, None)
      >>> gap = InferenceGap(
      ...     elbo, elbo + 1, elbo + 3, elbo + 4, None, moves, np.array([True, True])
      ... )
      >>> report = report_gaps({"test": gap}, TwoSided(elbo - 1, elbo), "amortized")
      >>> float(report.result["gaps"]["test"]["total"]["mean"])
      4.0
    """
    parts = (*PARTS, "total")
    means = {
        split: {part: mean_over_images(getattr(gap, part)) for part in parts}
        for split, gap in gaps.items()
    }
    title = f"Where the {name} ELBO is lost"
    stacked = {part: [of[part].value for of in means.values()] for part in PARTS}
    figure = stacked_bars(
        list(means), stacked, ylabel="log p(x) - ELBO (nats per image)", title=title
    )
    rows = [
        [part, *(f"{of[part].value:.3f} ± {of[part].stderr:.3f}" for of in means.values())]
        for part in parts
    ]
    table = Table(f"log p(x) - ELBO, {name}, nats per image", ["gap", *means], rows)
    *_, last = gaps.values()
    acceptance = last.transitions.acceptance_probability.mean()
    apart = mean_over_images(drawn.upper - drawn.lower)
    result = {
        "gaps": {
            split: {part: {"mean": mean.value, "stderr": mean.stderr} for part, mean in of.items()}
            for split, of in means.items()
        },
        "acceptance": acceptance,
        "drawn_lower": drawn.lower.mean(),
        "drawn_upper": drawn.upper.mean(),
        "drawn_difference": apart.value,
        "drawn_difference_stderr": apart.stderr,
    }
    note = (
        f"log p(x) of {len(drawn.lower)} images that it draws: from {drawn.lower.mean():.3f} to "
        f"{drawn.upper.mean():.3f} nats, {apart.value:.3f} ± {apart.stderr:.3f} apart; HMC accepts "
        f"{acceptance:.0%}"
    )
    return GapReport(result, figure, table, note)


def mean_bounds(gaps: Mapping[str, InferenceGap]) -> dict[str, float]:
    """Returns the mean ELBO, ELBO at the best phi and log p(x) of each set, in nats per image.

    Example:
      >>> elbo = np.array([-90.0, -91.0])  # of two images
      >>> gap = InferenceGap(elbo, elbo + 1, elbo + 3, elbo + 4, None, None, np.array([True, True]))
      >>> {name: float(mean) for name, mean in mean_bounds({"test": gap}).items()}
      {'test_elbo': -90.5, 'test_best_elbo': -87.5, 'test_log_px': -86.5}
    """
    return {
        f"{split}_{number}": getattr(gap, number).mean()
        for split, gap in gaps.items()
        for number in ("elbo", "best_elbo", "log_px")
    }


def tabulate_bounds(title: str, bounds: Mapping[str, Mapping[str, float]]) -> Table:
    """Returns the mean bounds of several trainings beside each other, with their seconds.

    Args:
      bounds: by the name of the training, as `mean_bounds` returns them of "train" and "test", with
        `training_seconds`.
    Example:
      >>> bounds = {
      ...     "train_elbo": -90.0,
      ...     "test_elbo": -93.0,
      ...     "train_log_px": -87.0,
      ...     "test_log_px": -88.5,
      ... }
      >>> tabulate_bounds("digits", {"SVI": {**bounds, "training_seconds": 7.0}}).rows
      [['SVI', '-90.00', '-93.00', '-87.00', '-88.50', '7']]
    """
    keys = ("train_elbo", "test_elbo", "train_log_px", "test_log_px")
    rows = [
        [name, *(f"{of[key]:.2f}" for key in keys), f"{of['training_seconds']:.0f}"]
        for name, of in bounds.items()
    ]
    columns = ["inference", "ELBO, train", "test", "log p(x), train", "test", "seconds"]
    return Table(title, columns, rows)


def draw_fits(gaps: Mapping[str, InferenceGap], *, ylabel: str, title: str) -> Figure:
    """Returns the mean ELBO on the way to the best phi, from each start, below log p(x).

    Args:
      gaps: by the name of the start, of the same images under one model; log p(x) is the first's.
    Example:
      >>> elbo = np.array([-90.0, -91.0])  # of two images
      >>> optimum = LocalOptimum(None, elbo[:, None] + np.arange(8), np.array([True, True]))
      >>> gap = InferenceGap(elbo, elbo, elbo + 7, elbo + 8, optimum, None, np.array([True, True]))
      >>> draw_fits({"from the encoder": gap}, ylabel="ELBO (nats per image)", title="SVI")
    """
    first = next(iter(gaps.values()))
    return against_steps(
        {name: gap.optimum.values.mean(axis=0) for name, gap in gaps.items()},
        level=("log p(x)", float(first.log_px.mean())),
        xlabel="local steps",
        ylabel=ylabel,
        title=title,
    )
