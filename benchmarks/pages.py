"""Which pages do the records of `benchmarks/results` make?

Every JSON there has a page beside it, for those who read; this writes them all, and an index.

  python -m benchmarks.pages
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.device_page import device_page
from benchmarks.markdown import head
from benchmarks.record import directory
from benchmarks.timing_page import timing_page
from jaxgen.workbench import check_fields, main

RESULTS = str(Path(__file__).parent / "results")
PAGES: dict[str, Callable[[str, Mapping[str, Any]], str]] = {"device_estimates": device_page}
"""`(benchmark, its record) -> page`, of those benchmarks that do not compare times alone."""


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
        benchmark, platform = _benchmark(path.stem)
        record = json.loads(path.read_text("utf-8"))
        written[f"{path.stem}.md"] = PAGES.get(benchmark, timing_page)(benchmark, record)
        question = head(benchmark)[0].removeprefix("# ")
        index.append(f"- [{question}]({path.stem}.md)" + (f" ({platform})" if platform else ""))
    written["README.md"] = "\n".join(
        ["# Results", "", *index, "", "Written from the JSON by `python -m benchmarks.pages`.", ""]
    )
    return written


def _benchmark(stem: str) -> tuple[str, str]:
    """The benchmark that wrote a record, and the platform in its name, if it has one."""
    if (Path(__file__).parent / f"{stem}.py").exists():
        return stem, ""
    name, _, platform = stem.rpartition("_")
    return name, platform


def run(config: Config) -> dict[str, str]:
    """Writes the pages; returns them by name."""
    folder = directory(config.results)
    written = pages(folder)
    for name, text in written.items():
        (folder / name).write_text(text, "utf-8")
    print(f"{len(written)} pages in {folder}")
    return written


if __name__ == "__main__":
    main(Config, run)
