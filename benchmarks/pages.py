"""Which pages do the records of `benchmarks/results` make?

Every JSON there has a page beside it, for those who read; this writes them all, and an index.

  python -m benchmarks.pages
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.device_page import device_page
from benchmarks.mixes import mixes_page
from benchmarks.papers_page import papers_page
from benchmarks.peer_estimators import peer_estimators_page
from benchmarks.peers_page import peers_page
from benchmarks.record import directory
from benchmarks.timing_page import timing_page
from benchmarks.variance_page import variance_page
from benchmarks.variance_report import pictures
from jaxgen.workbench import check_fields, main

RESULTS = str(Path(__file__).parent / "results")
PAGES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "device_estimates": device_page,
    "estimators": variance_page,
    "mixes": mixes_page,
    "papers": papers_page,
    "peer_estimators": peer_estimators_page,
    "peers": peers_page,
}
"""`record -> page` by the record's name; others compare times, and are named for the platform."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Which records."""

    results: str = RESULTS
    """Directory of the records, and of the pages."""

    def __post_init__(self) -> None:
        check_fields(self)


def pages(results: Path) -> dict[str, str]:
    """Returns the text of every page, by the name of its file.

    Example:
      pages(Path("benchmarks/results"))["training_speed_cpu.md"]
    """
    written, index = {}, []
    for path in sorted(results.glob("*.json")):
        record = json.loads(path.read_text("utf-8"))
        benchmark, _, platform = path.stem.rpartition("_")
        page = PAGES.get(path.stem) or partial(timing_page, benchmark)
        written[f"{path.stem}.md"] = page(record)
        question = written[f"{path.stem}.md"].partition("\n")[0].removeprefix("# ")
        where = "" if path.stem in PAGES else f" ({platform})"
        index.append(f"- [{question}]({path.stem}.md){where}")
    written["README.md"] = "\n".join(
        ["# Results", "", *index, "", "Written from the JSON by `python -m benchmarks.pages`.", ""]
    )
    return written


def run(config: Config) -> dict[str, str]:
    """Writes the pages, and the pictures that they show; returns them by name."""
    folder = directory(config.results)
    written = pages(folder)
    for name, text in written.items():
        (folder / name).write_text(text, "utf-8")
    estimators = folder / "estimators.json"
    if estimators.exists():
        directory(f"{folder}/pictures")
        for name, figure in pictures(json.loads(estimators.read_text("utf-8"))).items():
            figure.savefig(folder / "pictures" / f"{name}.png")
    print(f"{len(written)} pages in {folder}")
    return written


if __name__ == "__main__":
    main(Config, run)
