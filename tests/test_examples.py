"""Every public function and class has an example, and it runs as it stands there."""

import doctest
import inspect

import pytest
from examples import Close, example_of, namespace, public, run

FUNCTIONS = ()
"""The rooms whose public functions have examples that run."""
WHOLE = (
    "bounds",
    "certify",
    "checks",
    "data",
    "distributions",
    "divergences",
    "estimators",
    "inference",
    "metrics",
    "models",
    "nets",
    "numerics",
    "objectives",
    "pairwise",
    "train",
    "two_sample",
    "values",
)
"""The rooms whose public classes have them too."""
CASES = [
    f"{room}.{name}"
    for room in (*FUNCTIONS, *WHOLE)
    for name, value in public(room).items()
    if inspect.isfunction(value) or (room in WHOLE and inspect.isclass(value))
]


@pytest.fixture(scope="module")
def names():
    return {room: namespace(room) for room in (*FUNCTIONS, *WHOLE)}


@pytest.mark.parametrize("case", CASES)
def test_the_example_runs(case, names):
    room, _, name = case.partition(".")
    test = example_of(case, names[room][name])
    assert test, f"{case} has none"
    run(test, names[room])


def test_numbers_agree_as_far_as_they_are_written():
    check = Close().check_output
    assert check("0.33 of [1, 2.5]", "0.3333 of [1, 2.5]", 0)
    assert not check("0.34", "0.3333", 0)
    assert not check("3 of [1]", "2 of [1]", 0)
    assert check("", "what an example does not show", 0)


def test_a_wrong_example_fails():
    parser = doctest.DocTestParser()
    run(parser.get_doctest(">>> 1 / 3\n0.33\n", {}, "right", None, None), {})
    with pytest.raises(AssertionError, match="Got"):
        run(parser.get_doctest(">>> 1 / 3\n0.34\n", {}, "wrong", None, None), {})
