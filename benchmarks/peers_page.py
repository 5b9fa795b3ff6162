"""The page of the peers: a line for each job and peer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.markdown import head, short, table, where


def peers_page(record: Mapping[str, Any]) -> str:
    """Returns the page of what `benchmarks.peers` measured.

    Example:
      peers_page(json.loads(Path("benchmarks/results/peers.json").read_text()))
    """
    rows = []
    for name, job in record["jobs"].items():
        for peer, of in job["ratios"].items():
            spread = f"{short(of['lower_quartile'])} to {short(of['upper_quartile'])}"
            ours, theirs = (job["seconds"][who]["median"] for who in ("jaxgen", peer))
            answers = " / ".join(short(job["answers"][who]) for who in ("jaxgen", peer))
            line = [of["median"], spread, ours, theirs, f"{answers} ({job['answer']})"]
            rows.append([f"{name}: {job['work']}", peer, *line])
    columns = ["job", "peer", "jaxgen / peer", "quartiles", "jaxgen, s", "peer, s", "answers"]
    lines = head("peers")
    lines += [
        f"Medians of the ratios of {record['rounds']} rounds; below one, jaxgen is faster.",
        "",
    ]
    lines += [*table(columns, rows), *where(record["environment"])]
    absent = [name for job in record["jobs"].values() for name in job["absent"]]
    if absent:
        lines += [f"Not installed, and left out: {', '.join(absent)}.", ""]
    return "\n".join(lines)
