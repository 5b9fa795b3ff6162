"""What the shell offers at a Tab: recipes, their flags, and nothing for other calls of Python."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jaxgen.workbench import cli

ROOT = Path(__file__).parents[2]


def offered(shell, script, *words):
    """What `shell` offers for the last of the words; `python` is the one of the tests."""
    lines = [
        script,
        f'python() {{ {sys.executable} "$@"; }}',
        f"COMP_WORDS=({' '.join(map(repr, words))}) COMP_CWORD={len(words) - 1}",
        "_jaxgen_experiments",
        'printf "%s\\n" "${COMPREPLY[@]}"',
    ]
    done = subprocess.run(
        [shell, "-c", "\n".join(lines)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_a_tab_completes_recipes_and_flags(capsys):
    cli.choose(["completion"])
    script = capsys.readouterr().out
    recipe = ("python", "-m", "experiments")
    assert offered("bash", script, *recipe, "co") == {"compare", "compression"}
    assert offered("bash", script, *recipe, "vae", "--ba") == {"--batch-size"}
    assert offered("bash", script, *recipe, "vae", "--dataset", "mn") == set()
    assert offered("bash", script, "python", "-m", "pytest", "--v") == set()
