"""Every notebook runs from its first cell to its last, on the installed library alone."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "experiments" / "colab").glob("*.ipynb"))
IDS = [path.stem for path in NOTEBOOKS]


def code_of(path):
    """The sources of a notebook's code cells, without the lines that are IPython's."""
    notebook = nbformat.read(path, as_version=4)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return [re.sub(r"^(\s*)[%!].*$", r"\1pass", cell, flags=re.MULTILINE) for cell in cells]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
@pytest.mark.filterwarnings("default")
def test_notebook_runs(path, monkeypatch, tmp_path):
    """Compiled as by a user: notebooks run for longer than they compile."""
    for name in ("JAX_DISABLE_MOST_OPTIMIZATIONS", "XLA_FLAGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "commit it without outputs"
    NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [
        data
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        for data in output.get("data", {})
    ]
    assert "image/png" in shown


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_a_notebook_needs_no_clone(path):
    """What it imports is installed with the wheel and its extra, which holds no recipe."""
    for source in code_of(path):
        assert "git clone" not in source
        for node in ast.walk(ast.parse(source)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & {
                *("experiments", "benchmarks", "tests")
            }


def test_all_notebooks_begin_by_installing_and_showing_the_devices():
    (first,) = {code_of(path)[0] for path in NOTEBOOKS}
    assert "print(jax.devices())" in first
    text = NOTEBOOKS[0].read_text()
    assert "'jaxgen[workbench] @ git+https://github.com/jaxgen/jaxgen'" in text
