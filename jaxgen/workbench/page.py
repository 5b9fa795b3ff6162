"""What a run directory holds, on one page for a browser: numbers, curves, pictures, configuration.

A static file beside the pictures that it shows: every text is escaped, nothing is run or fetched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jaxgen.workbench.polylines import polylines

STYLE = """
body { font: 15px/1.5 sans-serif; color: #222; max-width: 75em; margin: 1em auto; padding: 0 1em }
.curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(15em, 1fr)); gap: 1em }
figure { margin: 0 0 1em } img { max-width: 100% } svg { width: 100%; background: #f6f6f6 }
table { border-collapse: collapse } td { padding: .1em 1em .1em 0; overflow-wrap: anywhere }
td { border-bottom: 1px solid #ddd; vertical-align: top } td:first-child { min-width: 9em }
.wide { overflow-x: auto } .wide td { overflow-wrap: normal }
th { text-align: left; padding-right: 1em }
"""


def run_page(path: Path) -> str:
    """Returns the HTML of a run directory; of what is not there yet it shows nothing.

    Example:
      >>> from jaxgen.workbench.page import run_page
      >>> run_page(folder.path)[:15]
      '<!doctype html>'
    """
    pictures = sorted((path / "pictures").glob("*.png"))
    parts = [
        head(path.name),
        _table("Result", _read(path / "result.json")),
        "<h2>Pictures</h2>" if pictures else "",
        *map(_picture, pictures),
    ]
    for records in sorted(path.rglob("metrics.jsonl")):
        part = records.parent.relative_to(path).as_posix()
        parts.append(_curves("Epochs" if part == "." else f"Epochs of {part}", records))
    parts.append(_table("Configuration", _read(path / "config.json")))
    return "\n".join(filter(None, parts)) + "\n</html>\n"


def head(title: str, style: str = "") -> str:
    """Returns the beginning of a page; the empty icon spares a browser asking for one."""
    title = escape(title)
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,"><style>{STYLE}{style}</style><h1>{title}</h1>'
    )


def _read(path: Path) -> Mapping[str, Any]:
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def flattened(values: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """Returns the values as texts; those of a mapping within it by `name.inner`."""
    texts: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            texts |= flattened(value, f"{above}{name}.")
        else:
            texts[above + name] = _text(value)
    return texts


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        shown = [_text(of) for of in value[:8]]
        between = "; " if any("," in of for of in shown) else ", "
        return between.join([*shown, f"... ({len(value)} in all)"] if len(value) > 8 else shown)
    return "-" if value is None else str(value)


def _table(title: str, values: Mapping[str, Any]) -> str:
    """A value a row; but of several that have parts, a table of their own."""
    plain, wide = _parted(values)
    parts = [f"<table>{''.join(_row(*of) for of in plain.items())}</table>"] if plain else []
    for name, rows in wide.items():
        columns = list(dict.fromkeys(column for row in rows.values() for column in row))
        titles = "".join(f"<th>{escape(column)}</th>" for column in columns)
        body = "".join(_row(of, *(row.get(c, "") for c in columns)) for of, row in rows.items())
        table = f"<table><tr><th></th>{titles}</tr>{body}</table>"
        parts.append(f'<h3>{escape(name)}</h3><div class="wide">{table}</div>')
    return f"<h2>{title}</h2>{''.join(parts)}" if parts else ""


def _parted(
    values: Mapping[str, Any], above: str = ""
) -> tuple[dict[str, str], dict[str, dict[str, dict[str, str]]]]:
    """The texts of single values, and the rows of those that are tables."""
    plain: dict[str, str] = {}
    wide: dict[str, dict[str, dict[str, str]]] = {}
    for name, value in values.items():
        rows = dict(enumerate(value, 1)) if isinstance(value, list) else value
        of_mappings = isinstance(rows, Mapping) and all(
            isinstance(r, Mapping) for r in rows.values()
        )
        if of_mappings and len(rows) > 1:
            wide[above + name] = {str(row): flattened(of) for row, of in rows.items()}
        elif isinstance(value, Mapping):
            inner, tables = _parted(value, f"{above}{name}.")
            plain, wide = plain | inner, wide | tables
        else:
            plain[above + name] = _text(value)
    return plain, wide


def _row(*texts: str) -> str:
    return f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in texts)}</tr>"


def _picture(path: Path) -> str:
    name, file = escape(path.stem), f"pictures/{quote(path.name)}"
    return (
        f'<figure><a href="{file}"><img src="{file}" alt="{name}"></a>'
        f"<figcaption>{name}</figcaption></figure>"
    )


def _curves(title: str, path: Path) -> str:
    """A curve a number over the epochs; a line torn by a kill is left out, as is what is null."""
    lines = [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    records = [json.loads(line) for line in lines]
    curves = []
    for name in sorted({name for record in records for name in record} - {"epoch"}):
        values = [(i, record.get(name)) for i, record in enumerate(records, 1)]
        points = [(i, float(y)) for i, y in values if isinstance(y, int | float)]
        if len(points) > 1:
            curves.append(_curve(name, points))
    heading = f"<h2>{escape(title)}</h2>"
    return f'{heading}<div class="curves">{"".join(curves)}</div>' if curves else ""


def _curve(name: str, points: Sequence[tuple[int, float]]) -> str:
    low, high = min(y for _, y in points), max(y for _, y in points)
    last, at_end = points[-1]
    words = f"{escape(name)}: {at_end:.5g} at {last} (from {low:.5g} to {high:.5g})"
    return f"<figure>{polylines([points])}<figcaption>{words}</figcaption></figure>"
