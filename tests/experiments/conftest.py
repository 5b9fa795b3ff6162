"""The tiny runs, made once for all tests of all workers."""

import functools
import json
import os

import filelock
import pytest
from recipes import RECIPES, Run, run_whole


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Returns the function from a recipe's name to its tiny run; what it left is only read."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # of all workers
    recipes = {recipe.name: recipe for recipe in RECIPES}

    @functools.cache
    def run(name):
        path = folder / f"tiny_{name}"
        noted = path.with_suffix(".json")
        with filelock.FileLock(path.with_suffix(".lock")):
            if not noted.exists():
                made = run_whole(recipes[name], path)
                noted.write_text(json.dumps({"printed": made.printed, "compiled": made.compiled}))
        return Run(path, **json.loads(noted.read_text()))

    return run
