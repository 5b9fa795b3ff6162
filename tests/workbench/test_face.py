"""The door of the workbench: every name behind it, one at a time, and what is missing by name."""

import importlib
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import jaxgen.workbench
from jaxgen.workbench import __all__ as names

ROOT = Path(__file__).parents[2]


def run(code, *arguments):
    program = [sys.executable, *arguments, "-c", textwrap.dedent(code)]
    subprocess.run(program, cwd=ROOT, check=True, timeout=60)


@pytest.mark.parametrize("name", names)
def test_every_name_is_there(name):
    assert getattr(importlib.import_module("jaxgen.workbench"), name).__doc__


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="has no attribute 'training_loop'"):
        _ = jaxgen.workbench.training_loop
    assert set(names) <= set(dir(jaxgen.workbench))


def test_flags_are_imported_without_jax_and_rich():
    run("""
        import sys
        from jaxgen.workbench import Count, TrainingConfig
        assert not {"jax", "rich", "matplotlib", "filelock"} & sys.modules.keys()
    """)


@pytest.mark.parametrize(
    ("name", "package"), [("main", "tyro"), ("begin", "filelock"), ("progress", "rich")]
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(name, package):
    run(f"""
        import sys
        sys.modules[{package!r}] = None
        try:
            from jaxgen.workbench import {name}
        except ImportError as error:
            assert str(error) == (
                "jaxgen.workbench.{name} needs {package}: pip install 'jaxgen[workbench]'"
            ), error
        else:
            raise AssertionError
    """)
