"""Calls public functions with one malformed argument each: python tests/malformed.py ROOM...

The well-formed calls are those that the examples of docstrings make. Each argument in turn is
replaced by what it must not be. Runs in a process of its own, without the import hook of the tests,
as with a user. Prints, as JSON, a row for each call: the function, the argument, what was put in
its place, and what came of it: "accepted", "refused" (ValueError, "name: got ..., expected ...") or
the error.
"""

import contextlib
import inspect
import io
import json
import re
import sys

import jax
import jax.numpy as jnp
import numpy as np
from examples import example_of, namespace, public, recorded, run


class Thing:
    """Of no type that any function accepts."""

    def __repr__(self):
        return "Thing()"


def malformed(value):
    """What to put in the place of a well-formed argument, by name."""
    yield "None", None
    yield "a thing", Thing()
    if isinstance(value, str):
        yield "another word", "otsu"
    elif isinstance(value, bool):
        return
    elif isinstance(value, int | float | np.number):
        yield "text", "one"
        yield "nan", float("nan")
        yield "-1", -1
    elif isinstance(value, jax.Array | np.ndarray):
        yield "text", "one"
        if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
            yield "a seed", 0
            yield "many keys", jax.random.split(jax.random.key(0), 3)
        else:
            yield "an axis more", np.asarray(value)[None]
            if np.ndim(value):
                yield "an axis less", np.asarray(value)[0]
                yield "a row more", np.concatenate([np.asarray(value), np.asarray(value)[:1]])
    elif callable(value):
        yield "a number", 3.0


def outcome(function, args, kwargs):
    """How a call ends."""
    try:
        with jax.debug_key_reuse(False), contextlib.redirect_stdout(io.StringIO()):
            function(*args, **kwargs)
    except ValueError as error:
        told = re.match(r"[\w.]+(\[.*\]|\(.*\))?: got .*", str(error), re.DOTALL)
        return "refused" if told else f"ValueError: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "accepted"


def rows(room):
    """The rows of a room's public functions, and the names that no example calls."""
    names, calls = namespace(room), []
    watched = recorded(names, calls)
    for name, value in public(room).items():
        test = example_of(f"{room}.{name}", value)
        with contextlib.suppress(Exception):
            if test:
                run(test, watched)
    first = {}
    for name, args, kwargs in calls:
        first.setdefault(name, (args, kwargs))
    for name, function in public(room).items():
        if not inspect.isfunction(function):
            continue
        if name not in first:
            yield f"{room}.{name}", None, None, "never called"
            continue
        args, kwargs = first[name]
        called = inspect.signature(function).bind(*args, **kwargs)
        for argument, value in called.arguments.items():
            optional = called.signature.parameters[argument].default is None
            for what, bad in malformed(value):
                if bad is None and optional:
                    continue
                changed = inspect.BoundArguments(
                    called.signature, {**called.arguments, argument: bad}
                )
                with contextlib.suppress(TypeError):  # of what stands for several
                    came = outcome(function, changed.args, changed.kwargs)
                    yield f"{room}.{name}", argument, what, came


if __name__ == "__main__":
    print(json.dumps([row for room in sys.argv[1:] for row in rows(room)]))
