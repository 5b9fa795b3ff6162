"""Runs compared, as a page for a browser or as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from jaxgen.workbench.compared_runs import ComparedRuns
from jaxgen.workbench.page import head
from jaxgen.workbench.polylines import COLORS, polylines
from jaxgen.workbench.run_files import Curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDE = ".wide { overflow-x: auto } th { text-align: left; padding-right: 1em }"


def compared_page(of_all: ComparedRuns) -> str:
    """Returns the tables and the shared curves as HTML, on which nothing is run or fetched."""
    colors = [COLORS[i % len(COLORS)] for i in range(len(of_all.names))]
    legend = " ".join(
        f'<b style="color:{color}">{escape(name)}</b>'
        for name, color in zip(of_all.names, colors, strict=True)
    )
    figures = [
        f"<figure>{polylines(curves)}<figcaption>{escape(name)}: {_range(curves)}"
        "</figcaption></figure>"
        for name, curves in of_all.curves
    ]
    parts = [
        head("Runs compared", WIDE),
        f"<p>{legend}</p>",
        *(f"<p>{escape(note)}</p>" for note in of_all.notes),
        *(_html_table(*table) for table in of_all.tables),
        f'<h2>Curves</h2><div class="curves">{"".join(figures)}</div>' if figures else "",
    ]
    return "\n".join(filter(None, parts)) + "\n</html>\n"


def _range(curves: Sequence[Curve]) -> str:
    values = [y for curve in curves for _, y in curve]
    return f"from {min(values):.5g} to {max(values):.5g}"


def _html_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    names = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(_shown(cell))}</td>' for cell in row)}</tr>" for row in rows
    )
    return f'<h2>{title}</h2><div class="wide"><table><tr>{names}</tr>{body}</table></div>'


def _shown(cell: Any) -> str:
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)


def compared_figure(of_all: ComparedRuns) -> Figure:
    """Returns a panel for each curve, with a line for each run that has it."""
    from jaxgen.pictures import legend_below, panels

    # A dollar begins a formula, and a name that begins with "_" is left out of a legend.
    labels = [f" {_no_formula(name)}" for name in of_all.names]
    titles = [_no_formula(name) for name, _ in of_all.curves]
    figure, places = panels(titles, columns=3)
    for axes, (_, curves) in zip(places, of_all.curves, strict=True):
        for i, (label, curve) in enumerate(zip(labels, curves, strict=True)):
            epochs, values = [x for x, _ in curve], [y for _, y in curve]
            marker = "o" if len(curve) == 1 else None
            axes.plot(epochs, values, color=COLORS[i % len(COLORS)], marker=marker, label=label)
    legend_below(figure, places[0])
    return figure


def _no_formula(name: str) -> str:
    return name.replace("$", r"\$")
