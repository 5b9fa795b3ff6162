"""The import table: which room may import which."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "jaxgen"
GROUND = {"types", "checks", "numerics"}
MAY_IMPORT = {
    "types": set(),
    "checks": set(),
    "numerics": {"types"},
    "distributions": GROUND,
    "nets": GROUND,
    "estimators": GROUND,
    "divergences": GROUND,
    "inference": GROUND,
    "data": GROUND,
    "objectives": GROUND | {"estimators", "divergences", "inference"},
    "models": GROUND | {"distributions", "nets"},
    "metrics": GROUND | {"divergences", "objectives", "inference"},
    "train": {"types", "checks"},
}


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
        assert not list(imported_modules(source)), "import jaxgen must stay light"
    else:
        assert name in MAY_IMPORT, f"{name} is not a room of the table"
        assert not list(violations(name, source))


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
