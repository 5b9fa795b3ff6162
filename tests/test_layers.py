"""The import table: which room may import which."""

import ast
import statistics
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "jaxgen"
GROUND = {
    *("types", "boundary", "violations", "values", "checks", "array_checks"),
    *("numerics", "bounds", "pairwise"),
}
MAY_IMPORT = {
    "bibliography": set(),
    "types": set(),
    "violations": {"types"},
    "boundary": {"violations"},
    "values": set(),
    "checks": set(),
    "array_checks": set(),
    "numerics": {"types", "checks", "array_checks"},
    "bounds": {"types", "boundary", "values", "checks", "array_checks", "numerics"},
    "pairwise": {"types", "boundary", "values", "checks", "array_checks", "numerics"},
    "distributions": GROUND,
    "nets": GROUND,
    "data": GROUND,
    "inference": GROUND,
    "estimators": GROUND,
    "divergences": GROUND,
    "pictures": GROUND,
    "train": {"types", "boundary", "checks", "array_checks"},
    # models: a density is certified by what its distribution says; nets: of which teachers are.
    "certify": GROUND | {"estimators", "distributions", "models", "nets"},
    "two_sample": GROUND | {"divergences"},
    # inference: an exact model hands its two steps to EM as `EMSteps`.
    "models": GROUND | {"distributions", "nets", "inference"},
    "objectives": GROUND | {"estimators", "divergences", "inference"},
    "metrics": GROUND | {"divergences", "objectives"},
}
MAY_IMPORT["workbench"] = {*MAY_IMPORT, "workbench"}


def room(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_modules(source):
    """The absolute names that `source` imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def violations(name, source):
    allowed = MAY_IMPORT[name] | {name}
    for module in imported_modules(source):
        parts = module.split(".")
        if parts[0] in {"experiments", "benchmarks", "tests"} or (
            parts[0] == "jaxgen" and len(parts) > 1 and parts[1] not in allowed | {"__version__"}
        ):
            yield module


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_keep_to_the_table(path):
    name = room(path)
    source = path.read_text()
    if name == "__init__":
        outside = {module.split(".")[0] for module in imported_modules(source)}
        # Its rooms it names for type checkers alone: test_package.py sees that it imports none.
        assert outside - {"jaxgen"} <= sys.stdlib_module_names, "import jaxgen must stay light"
    else:
        assert name in MAY_IMPORT, f"{name} is not a room of the table"
        assert not list(violations(name, source))


def back_doors(name, source):
    """The modules inside another room that `source`, of the room `name`, imports from."""
    for module in imported_from(source):
        parts = module.split(".")
        if parts[0] == "jaxgen" and len(parts) > 2 and parts[1] != name:
            yield module


def imported_from(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


OUTSIDE = [
    *(ROOT.parent / "experiments").rglob("*.py"),
    *(ROOT.parent / "benchmarks").rglob("*.py"),
]


@pytest.mark.parametrize(
    "path",
    sorted([*ROOT.rglob("*.py"), *OUTSIDE]),
    ids=lambda p: str(p.relative_to(ROOT.parent)),
)
def test_a_room_is_entered_by_its_face(path):
    name = room(path) if path.is_relative_to(ROOT) else None
    assert not list(back_doors(name, path.read_text()))


RECIPES = sorted((ROOT.parent / "experiments").glob("[a-z]*.py"))


def other_recipes(source):
    """What `source` imports of the package of recipes."""
    return [m for m in imported_modules(source) if m and m.split(".")[0] == "experiments"]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_one_file_of_at_most_220_lines(path):
    source = path.read_text()
    assert not other_recipes(source)
    assert source.count("\n") <= 220


def test_another_recipe_is_seen():
    assert other_recipes("from experiments import ring")
    assert other_recipes("import experiments.ring as r")


def test_recipes_and_rooms_are_of_a_size_to_be_read():
    recipes = [path.read_text().count("\n") for path in RECIPES]
    assert statistics.mean(recipes) <= 205
    assert statistics.median(recipes) < 200
    lengths = [path.read_text().count("\n") for path in ROOT.rglob("*.py")]
    assert statistics.median(lengths) < 110
    assert max(lengths) <= 300


def test_a_back_door_is_seen():
    assert list(back_doors("train", "from jaxgen.models.vae import vae"))
    assert not list(back_doors("models", "from jaxgen.models.vae import vae"))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("train", "from jaxgen.models import vae"),
        ("objectives", "def f():\n    import jaxgen.models.vae"),
        ("estimators", "from jaxgen import objectives"),
        ("nets", "import experiments.vae"),
    ],
)
def test_a_forbidden_import_is_seen(name, source):
    assert list(violations(name, source))
