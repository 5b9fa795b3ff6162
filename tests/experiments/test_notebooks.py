"""Every notebook runs, on the installed library alone, and shows what is stored in it."""

import ast
import io
import json
import re

import nbformat
import numpy as np
import pytest
from notebooks import (
    MAX_PICTURE,
    MAX_THUMBNAIL,
    NOTEBOOKS,
    ROOT,
    differences,
    executed,
    pictures_of,
    solutions,
    text_of,
    thumbnail,
    thumbnail_path,
)
from PIL import Image

from jaxgen.bibliography import BIBLIOGRAPHY

IDS = [path.stem for path in NOTEBOOKS]
STORED = {path.stem: nbformat.read(path, as_version=4) for path in NOTEBOOKS}
TOLERANCE = 0.05
"""Of a number that is shown, relative to it or, below one, absolute: what other versions of JAX
and other processors make of rounding in a training."""
each_notebook = pytest.mark.parametrize("name", IDS)


def code_of(name):
    """The sources of a notebook's code cells, without the lines that are IPython's."""
    cells = [cell.source for cell in STORED[name].cells if cell.cell_type == "code"]
    return [re.sub(r"^(\s*)[%!].*$", r"\1pass", cell, flags=re.MULTILINE) for cell in cells]


def prose_of(name):
    return "\n".join(of.source for of in STORED[name].cells if of.cell_type == "markdown")


@each_notebook
@pytest.mark.filterwarnings("default")
def test_a_notebook_runs_and_shows_what_is_stored(name, tmp_path):
    """With its solutions. What the first cell shows is of the machine."""
    seen = executed(name, STORED[name], tmp_path)
    for before, now in list(zip(STORED[name].cells, seen.cells, strict=True))[2:]:
        apart = list(differences(text_of(before), text_of(now), TOLERANCE))
        assert not apart, (before.source[:80], apart)
        assert len(pictures_of(before)) == len(pictures_of(now))


@each_notebook
def test_what_is_stored_is_whole_and_small(name):
    cells = [cell for cell in STORED[name].cells if cell.cell_type == "code"]
    shown = [picture for cell in cells for picture in pictures_of(cell)]
    assert shown
    assert max(map(len, shown)) <= MAX_PICTURE
    assert len(json.dumps(STORED[name])) < 300_000
    assert sum(bool(text_of(cell)) for cell in cells) > 3


@each_notebook
def test_its_thumbnail_is_of_what_is_stored(name):
    """In the README, which `python tests/experiments/notebooks.py --thumbnails` makes."""
    kept, made = thumbnail_path(name).read_bytes(), thumbnail(name, STORED[name])
    assert max(len(kept), len(made)) <= MAX_THUMBNAIL
    pixels = [np.asarray(Image.open(io.BytesIO(of)).convert("L"), float) for of in (kept, made)]
    assert np.abs(np.subtract(*pixels)).mean() < 4
    assert f"pictures/notebook_{name}.png" in (ROOT / "README.md").read_text()


@each_notebook
def test_a_notebook_needs_no_clone(name):
    """What it imports is installed with the wheel and its extra, which holds no recipe."""
    for source in code_of(name):
        assert "git clone" not in source
        for node in ast.walk(ast.parse(source)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & {
                *("experiments", "benchmarks", "tests")
            }


@each_notebook
def test_a_notebook_begins_with_its_badge_and_by_installing(name):
    badge = f"(https://colab.research.google.com/github/jaxgen/jaxgen/blob/main/experiments/colab/{name}.ipynb)"
    assert badge in STORED[name].cells[0].source.splitlines()[0]
    assert code_of(name)[0] == code_of("vae")[0]
    assert "print(jax.devices())" in code_of(name)[0]
    install = "%pip install -q 'jaxgen[workbench] @ git+https://github.com/jaxgen/jaxgen'"
    assert install in STORED[name].cells[1].source


@each_notebook
def test_a_notebook_teaches(name):
    """Formulas set, papers linked, fields to play with, something of one's own, two exercises."""
    prose, code = prose_of(name), "\n".join(code_of(name))
    assert len(re.findall(r"\$[^$]+\$", prose)) > 3
    links = {of.link for of in BIBLIOGRAPHY.values()}
    papers = re.findall(r"\[[^\]]*\(\d{4}\w?\)\]\(([^)]+)\)", prose)
    assert papers
    assert not {*papers} - links
    assert code.count("# @param {") >= 2
    assert "## Your own" in prose
    assert len(re.findall(r"^\*\*\d\. ", prose, re.MULTILINE)) == 2
    assert len([of for cell in STORED[name].cells for of in solutions(cell)]) == 2


def test_numbers_agree_within_the_tolerance_and_words_exactly():
    agree = "ELBO -20.31, log p(x) -18.90 nats\n  1,300 of 8"
    assert not list(differences(agree, agree.replace("-20.31", "-20.9"), 0.05))
    assert not list(differences("p = 0.01", "p = 0.05", 0.05))
    assert list(differences(agree, agree.replace("-20.31", "20.31"), 0.05))
    assert list(differences(agree, agree.replace("-20.31", "-22.31"), 0.05))
    assert list(differences(agree, agree.replace("1,300", "13"), 0.05))
    assert list(differences(agree, agree.replace("nats", "bits"), 0.05))
    assert list(differences(agree, agree.replace("-18.90", "nan"), 0.05))
