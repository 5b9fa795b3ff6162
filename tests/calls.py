"""Runs the examples of a room as a user would, and what they call again: calls.py ROOM.

In a process of its own, without the import hook of the tests. Prints JSON, by public name:
`failed`, what differed in its example ("" if nothing); `compiled`, the programs that its call
compiles a second time; `products`, the files whose products in it ask for no precision; `rows`,
what comes of its call with one argument malformed.
"""

import contextlib
import inspect
import io
import json
import re
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from compilations import compilations
from default_products import default_products
from examples import begun, example_of, public, recorded, run

CALLED_EAGERLY = ("divergences", "inference", "metrics", "two_sample")
"""Rooms whose functions are called outside of jit, and then compile once."""

ANYTHING = (Any, "Any", "Params", inspect.Parameter.empty)
"""Annotations that say nothing."""


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


def rows(function, args, kwargs):
    """Calls a function with one argument after another malformed, all else as it was.

    Yields:
      (argument, what was put in its place, what came of it): "accepted", "refused" (ValueError,
      "name: got ..., expected ...") or the error.
    """
    called = inspect.signature(function).bind(*args, **kwargs)
    for argument, value in called.arguments.items():
        optional = called.signature.parameters[argument].default is None
        for what, bad in malformed(value):
            if bad is None and optional:
                continue
            changed = inspect.BoundArguments(called.signature, {**called.arguments, argument: bad})
            with contextlib.suppress(TypeError):  # of what stands for several
                yield argument, what, outcome(function, changed.args, changed.kwargs)


def alone(function):
    """Calls a function that its example only prepares to call, with one malformed argument.

    Yields:
      As `rows`. Where all others are missing, nothing but the door can refuse the one; what may be
      anything is left out.
    """
    if not inspect.isfunction(function):
        return
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.annotation in ANYTHING or "*" in str(parameter):
            continue
        for what, bad in (("None", None), ("a thing", Thing())):
            if bad is not None or parameter.default is not None:
                yield name, what, outcome(function, (), {name: bad})


def second_calls(function, calls):
    """Returns how many programs are compiled when what was called is called again."""
    # A distribution stays the object that it is: it is a tree, too.
    again = [jax.tree.map(unused, given, is_leaf=_is_distribution) for _, *given in calls]
    with compilations() as found:
        for args, kwargs in again:
            jax.block_until_ready(function(*args, **kwargs))
    return len(found)


def _is_distribution(x):
    return hasattr(x, "log_prob")


def unused(x):
    typed = isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
    return jax.random.clone(x) if typed else x


def report(room):
    """What is said of each public function and class of a room."""
    names, found = begun(room), {}
    for name, value in public(room).items():
        if not (inspect.isfunction(value) or inspect.isclass(value)):
            continue
        test, calls, failed = example_of(f"{room}.{name}", value), [], "no example"
        products = set()
        if test:
            try:
                failed = ""
                with default_products() as products:
                    run(test, names | recorded({name: value}, calls))
            except AssertionError as error:
                failed = str(error)
        made = calls if inspect.isfunction(value) else []
        found[name] = {
            "failed": failed,
            "compiled": second_calls(value, made) if room in CALLED_EAGERLY else 0,
            "products": sorted(products),
            "rows": list(rows(value, *made[0][1:]) if made else alone(value)),
        }
    return found


if __name__ == "__main__":
    print(json.dumps(report(sys.argv[1])))
