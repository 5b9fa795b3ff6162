"""What is installed: a light import, rooms that type checkers see, dependencies that are used."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {path.stem for path in (ROOT / "jaxgen").iterdir() if path.stem[0] not in "_."} - {"py"}
BEYOND_THE_CORE = {"workbench", "pictures"}

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
MODULE = {
    "array-record": "array_record",
    "pillow": "PIL",
    "scikit-learn": "sklearn",
    "tensorflow-datasets": "tensorflow_datasets",
}
"""The modules of packages that are named otherwise."""
NOT_IMPORTED = {"jaxlib": "what jax runs on", "chex": "what the tests assert with"}
COMES_WITH = {"tensorflow_probability": "distrax"}


def declared(requirements):
    """The modules of the packages that `requirements` names."""
    names = [re.match(r"[\w-]+", requirement)[0] for requirement in requirements]
    return {MODULE.get(name, name) for name in names}


def imported(rooms):
    """The packages that the code of `rooms` imports, wherever in it the import stands."""
    found = set()
    for room in rooms:
        place = ROOT / "jaxgen" / room
        for path in place.rglob("*.py") if place.is_dir() else [place.with_suffix(".py")]:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    found |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    found.add(node.module.split(".")[0])
    found = {COMES_WITH.get(name, name) for name in found}
    return found - sys.stdlib_module_names - {"jaxgen"}


def test_import_is_light_and_carries_a_version():
    code = (
        "import jaxgen, sys; assert jaxgen.__version__; "
        "heavy = {'tensorflow_datasets', 'matplotlib', 'sklearn', 'jax'} & set(sys.modules); "
        "heavy |= {name for name in sys.modules if name.startswith('jaxgen.')}; "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


def test_rooms_are_typed():
    assert (ROOT / "jaxgen" / "py.typed").exists()


def test_type_checkers_and_dir_see_every_room():
    tree = ast.parse((ROOT / "jaxgen" / "__init__.py").read_text())
    seen = {
        alias.asname  # re-exported, since named as itself
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "jaxgen"
        for alias in node.names
    }
    assert seen == ROOMS
    code = "import jaxgen; print(*dir(jaxgen))"
    listed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert set(listed.stdout.split()) >= ROOMS


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_says_what_is_public(room):
    """Type checkers take nothing else of an installed package for exported."""
    place = ROOT / "jaxgen" / room
    if place.is_dir():
        tree = ast.parse((place / "__init__.py").read_text())
        (public,) = (
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        )
        names = [
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jaxgen.")
            for alias in node.names
            if alias.name != "doors"
        ]
        assert sorted(names) == sorted(public)
        assert all(hasattr(importlib.import_module(f"jaxgen.{room}"), name) for name in public)


def test_the_core_declares_what_it_imports_and_no_more():
    optional = declared(EXTRAS["compression"])
    used = imported(ROOMS - BEYOND_THE_CORE) - optional
    assert declared(PROJECT["dependencies"]) - NOT_IMPORTED.keys() == used


def test_the_workbench_declares_what_it_imports_besides():
    optional = declared(EXTRAS["tensorboard"]) | declared(EXTRAS["wandb"])
    used = imported(BEYOND_THE_CORE) - declared(PROJECT["dependencies"]) - optional
    assert declared(EXTRAS["workbench"]) == used
