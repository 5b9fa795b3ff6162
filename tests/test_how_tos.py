"""A room's face says which of its names answers which question, and each name is there."""

import ast
import re
from pathlib import Path

import pytest

import jaxgen

PACKAGE = Path(jaxgen.__file__).parent
FACES = {path.parent.name: path.read_text("utf-8") for path in PACKAGE.glob("*/__init__.py")}


def public(source):
    """The names in a face's `__all__`."""
    (names,) = (
        ast.literal_eval(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    return {*names}


NAMES = {room: public(source) for room, source in FACES.items()}


def answers(source):
    """What the last column of the docstring's table names, row by row."""
    rows = re.findall(r"^\| .* \|$", ast.get_docstring(ast.parse(source)), re.MULTILINE)
    cells = [re.split(r"(?<!\\)\|", row)[2:-1] for row in rows]
    assert all(len(of) == 1 for of in cells), "two columns"
    return [re.findall(r"`([\w.]+)`", answer) for (answer,) in cells[1:]]


def absent(room, source):
    """Names that the table has and the room it means has not."""
    for name in (name for row in answers(source) for name in row):
        home, _, own = name.removeprefix("jaxgen.").rpartition(".")
        if own not in NAMES.get(home or room, ()):
            yield name


@pytest.mark.parametrize("room", sorted(FACES))
def test_a_face_answers_questions_by_names_that_are_there(room):
    rows = answers(FACES[room])
    assert len(rows) > 5
    assert all(rows)
    assert not list(absent(room, FACES[room]))


def test_a_name_that_is_nowhere_is_found():
    face = '"""Doc.\n\n| question | answer |\n|---|---|\n| a | `{}` |\n| b | `{}` |\n"""'
    assert not list(absent("bounds", face.format("IWAE", "jaxgen.models.vae")))
    wrong = ["iwae", "jaxgen.models.IWAE"]
    assert list(absent("bounds", face.format(*wrong))) == wrong
