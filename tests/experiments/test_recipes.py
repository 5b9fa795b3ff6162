"""What holds of every recipe: what it leaves, that it resumes exactly, that it refuses in a line.

A new recipe adds its line to the table in recipes.py.
"""

import math
import re
import shlex

import jax
import pytest
from recipes import RECIPES, Run, run_interrupted, run_recipe, untimed

from jaxgen.workbench import cli

each = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)


def leaves(tree):
    """Every number and word of what JSON held."""
    if isinstance(tree, dict | list):
        for of in tree.values() if isinstance(tree, dict) else tree:
            yield from leaves(of)
    else:
        yield tree


@each
def test_a_run_leaves_its_numbers_records_and_pictures(recipe, tiny):
    run = tiny(recipe.name)
    numbers = [leaf for leaf in leaves(run.result) if isinstance(leaf, float)]
    assert all(map(math.isfinite, numbers))
    assert run.result["seconds"] > 0
    for part, epochs in recipe.trainings.items():
        assert [record["epoch"] for record in run.records(part)] == list(range(1, epochs + 1))
    assert set(run.pictures) == set(recipe.pictures.split())
    assert all(picture.startswith(b"\x89PNG") for picture in run.pictures.values())


@each
def test_a_run_prints_its_numbers_and_where_everything_is(recipe, tiny):
    run = tiny(recipe.name)
    assert run.printed.startswith(f"run directory: {run.path}\n")
    for name in recipe.pictures.split():
        assert f"\n  {run.path / 'pictures' / name}.png\n" in run.printed
    assert run.printed.endswith(f"\neverything: {run.path}\n")
    assert not re.findall(r"\b(None|nan|inf)\b", run.printed)


@each
def test_an_epoch_is_compiled_once_for_each_update(recipe, tiny):
    assert tiny(recipe.name).compiled.get("epoch", 0) == recipe.programs


RESUMED = [recipe for recipe in RECIPES if recipe.resumes]


@pytest.mark.parametrize("recipe", RESUMED, ids=lambda recipe: recipe.name)
def test_an_interrupted_run_resumes_to_the_same_end(recipe, tiny, tmp_path, capsys):
    """Interrupted in the last of its trainings, and continued with the command that it prints."""
    *_, last = recipe.trainings
    path = tmp_path / "run"
    with jax.debug_key_reuse(recipe.checks_keys):
        code = run_interrupted(recipe.name, recipe.flags, path, epoch=1, part=last or None)
        assert code == 128 + 15
        (command,) = re.findall(
            r"continue with: python -m experiments (.*)", capsys.readouterr().err
        )
        cli.choose(shlex.split(command))
    resumed, whole = Run(path, "", {}), tiny(recipe.name)
    assert untimed(resumed.result) == untimed(whole.result)
    for part in recipe.trainings:
        assert untimed(resumed.records(part)) == untimed(whole.records(part))
    assert resumed.pictures == whole.pictures


REFUSED = [(r.name, flags, message) for r in RECIPES for flags, message in r.refused.items()]


@pytest.mark.parametrize(("name", "flags", "message"), REFUSED)
def test_bad_flags_leave_one_line_and_no_run(name, flags, message, tmp_path, capsys):
    assert run_recipe(name, flags, tmp_path / "run") == 2
    said = capsys.readouterr().err
    assert message in " ".join(said.replace("│", " ").split())
    # The parser's own refusals, of what is no flag at all, are longer.
    assert said.count("\n") == 1 or not said.startswith("error: ")
    assert not list(tmp_path.iterdir())


def test_every_recipe_has_its_line():
    assert sorted(cli.recipes()) == sorted(recipe.name for recipe in RECIPES)
