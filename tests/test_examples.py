"""Every public function and class has an example, and it runs as it stands there."""

import contextlib
import doctest
import inspect

import jax
import jax.numpy as jnp
import pytest
from compilations import compilations
from examples import Close, example_of, namespace, public, recorded, run

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
COMPILED_ONCE = ("divergences", "metrics", "two_sample")
"""The rooms whose functions are called eagerly."""
OF_FUNCTIONS = {"f_divergence", "log_marginal"}
"""What scans or checks functions that each call makes anew; within `jax.jit`, it compiles once."""
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
    """And called a second time as in its example, a function of these rooms compiles nothing."""
    room, _, name = case.partition(".")
    function, calls = names[room][name], []
    test = example_of(case, function)
    assert test, f"{case} has none"
    run(test, names[room] | recorded({name: function}, calls))
    if room in COMPILED_ONCE and name not in OF_FUNCTIONS:
        assert second_calls(function, calls) == 0


def second_calls(function, calls):
    """Returns how many programs are compiled when what was called is called again."""
    again = [jax.tree.map(unused, (args, kwargs)) for _, args, kwargs in calls]
    with compilations() as found:
        for args, kwargs in again:
            with contextlib.suppress(ValueError):  # an example of what is refused
                jax.block_until_ready(function(*args, **kwargs))
    return len(found)


def unused(x):
    typed = isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
    return jax.random.clone(x) if typed else x


def test_a_function_that_compiles_anew_is_seen():
    def anew(x):
        return jax.jit(lambda x: x + 1)(x)

    calls = []
    recorded({"anew": anew}, calls)["anew"](jnp.zeros(3))
    assert second_calls(anew, calls) == 1


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
