"""Every public function of the rooms below has an example, and it runs as it stands there."""

import inspect
import re
import textwrap

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import certify, estimators
from jaxgen.models import Density
from jaxgen.nets import MLP

ROOMS = (estimators, certify)
NAMES = {"Density": Density, "MLP": MLP, "distrax": distrax, "jax": jax, "jnp": jnp, "np": np}
for room in ROOMS:  # an example of certify is about an estimator
    NAMES |= {name: getattr(room, name) for name in room.__all__}
FUNCTIONS = [
    f"{room.__name__}.{name}"
    for room in ROOMS
    for name in room.__all__
    if inspect.isfunction(getattr(room, name))
]


def example(docstring):
    """The code under "Example:"."""
    found = re.search(r"^Example:\n((?: .*\n|\n)+)", docstring + "\n", re.MULTILINE)
    return textwrap.dedent(found[1]) if found else ""


@pytest.mark.parametrize("name", [*FUNCTIONS, "jaxgen.certify.Problem"])
def test_the_example_runs(name):
    code = example(inspect.getdoc(NAMES[name.rpartition(".")[2]]))
    assert code, f"{name} has none"
    exec(compile(code, name, "exec"), dict(NAMES))


def test_an_example_ends_where_the_next_section_begins():
    docstring = "Returns x.\n\nExample:\n  for i in x:\n      f(i)\nSource: Bayes (1763)."
    assert example(docstring) == "for i in x:\n    f(i)\n"
    assert not example("Returns x.")
