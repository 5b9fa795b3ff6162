"""The examples of docstrings: found, run as they stand, and what they call recorded."""

import doctest
import functools
import importlib
import inspect
import io
import re
import textwrap
import types

import jax
import numpy as np

GROUND = (
    "array_checks",
    "boundary",
    "bounds",
    "checks",
    "numerics",
    "pairwise",
    "types",
    "values",
    "violations",
)
ROOMS = (
    *GROUND,
    "bibliography",
    "certify",
    "data",
    "distributions",
    "divergences",
    "estimators",
    "inference",
    "metrics",
    "models",
    "nets",
    "objectives",
    "pictures",
    "train",
    "two_sample",
    "workbench",
)
STANDARD = {
    "distrax": "distrax",
    "jax": "jax",
    "jnp": "jax.numpy",
    "nn": "flax.linen",
    "np": "numpy",
    "optax": "optax",
}
"""What every example may use without an import, as the README says."""


def public(room):
    """The public names of a room: what its face exports, or what a single file defines."""
    module = importlib.import_module(f"jaxgen.{room}")
    names = getattr(module, "__all__", None)
    if names is None:
        names = [n for n, x in vars(module).items() if n[0] != "_" and _is_of(module, x)]
    return {name: getattr(module, name) for name in names}


def _is_of(module, value):
    return getattr(value, "__module__", None) == module.__name__ and callable(value)


def namespace(*rooms):
    """The standard names, and the public ones of all rooms; of `rooms` where two have one name."""
    found = {name: importlib.import_module(module) for name, module in STANDARD.items()}
    every = [path for path in ROOMS if path not in rooms]
    for room in (*every, *rooms):
        found |= public(room)
    return found


def begun(room):
    """The names for a room's examples, and what they begin with: the example of the room itself."""
    test = example_of(room, importlib.import_module(f"jaxgen.{room}"))
    names = namespace(room)
    if test is None:
        return names
    run(test, names)
    return test.globs


class Close(doctest.OutputChecker):
    """Numbers agree as far as they are written; what is not written is not compared."""

    def check_output(self, want, got, optionflags):
        if not want:
            return True
        numbers = re.compile(r"(?<![\w.])-?\d*\.\d+(?:e[+-]?\d+)?")
        wanted, found = numbers.findall(want), numbers.findall(got)
        if len(wanted) == len(found):
            for w in wanted:
                digits = len(w.partition(".")[2].partition("e")[0])
                exponent = int(w.partition("e")[2] or 0)
                if not np.isclose(float(found[0]), float(w), 0, 0.51 * 10.0 ** (exponent - digits)):
                    return False
                found.pop(0)
            want, got = numbers.sub("#", want), numbers.sub("#", got)
        return super().check_output(want, got, optionflags)


def example_of(name, value):
    """The doctest of a public name's docstring, or None where it has no example."""
    text = (inspect.getdoc(value) or "") + "\n"
    section = re.search(r"^Example:\n((?: .*\n|\n)+)", text, re.MULTILINE)
    code = textwrap.dedent(section[1]) if section else ""
    test = doctest.DocTestParser().get_doctest(code, {}, name, None, None)
    return test if test.examples else None


def run(test, names):
    """Runs an example; raises AssertionError with what differed."""
    test.globs = dict(names)
    runner = doctest.DocTestRunner(
        Close(), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    said = io.StringIO()
    failed, _ = runner.run(test, out=said.write, clear_globs=False)
    assert not failed, said.getvalue()


def recorded(names, calls):
    """`names`, whose functions append (name, args, kwargs) of a call outside of jit to `calls`."""

    def record(name, function):
        @functools.wraps(function)
        def recording(*args, **kwargs):
            result = function(*args, **kwargs)  # what is refused is not recorded
            given = jax.tree.leaves((args, kwargs))
            if not any(isinstance(leaf, jax.core.Tracer) for leaf in given):
                calls.append((name, args, kwargs))
            return result

        return recording

    return {
        name: record(name, value) if isinstance(value, types.FunctionType) else value
        for name, value in names.items()
    }
