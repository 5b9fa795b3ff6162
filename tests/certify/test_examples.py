"""Every public function of the room has an example, and the example runs as it stands there."""

import inspect
import re
import textwrap

import distrax
import jax
import jax.numpy as jnp
import pytest

from jaxgen import certify, estimators

NAMES = {"distrax": distrax, "jax": jax, "jnp": jnp}
for room in (estimators, certify):
    NAMES |= {name: getattr(room, name) for name in room.__all__}


def example(value):
    """The code under "Example:" in the docstring of `value`."""
    found = re.search(r"^Example:\n((?: .*\n|\n)+)", inspect.getdoc(value) + "\n", re.MULTILINE)
    return textwrap.dedent(found[1]) if found else ""


FUNCTIONS = [name for name in certify.__all__ if inspect.isfunction(getattr(certify, name))]


@pytest.mark.parametrize("name", ["Problem", *FUNCTIONS])
def test_the_example_runs(name, capsys):
    code = example(getattr(certify, name))
    assert code
    exec(compile(code, name, "exec"), dict(NAMES))
    assert not capsys.readouterr().err
