"""Which products ask for no precision: an accelerator rounds their operands."""

import contextlib
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
from jax.extend.core.primitives import conv_general_dilated_p, dot_general_p

import jaxgen

ROOT = Path(jaxgen.__file__).parent
DEFAULT = (None, (jax.lax.Precision.DEFAULT,) * 2)


@contextlib.contextmanager
def default_products():
    """Collects the files of jaxgen in which such a product of float32 is traced, "" if in none.

    Of those on the stack, the one that was called last; so a product of a net that was passed in is
    that of the function which calls the net.
    """
    found = set()

    def noting(bind):
        def noted(x, y, **params):
            if params["precision"] in DEFAULT and x.dtype == y.dtype == jnp.float32:
                found.add(_file(sys._getframe(1)))
            return bind(x, y, **params)

        return noted

    products = (dot_general_p, conv_general_dilated_p)
    binds = [primitive.bind for primitive in products]
    for primitive, bind in zip(products, binds, strict=True):
        primitive.bind = noting(bind)
    try:
        yield found
    finally:
        for primitive, bind in zip(products, binds, strict=True):
            primitive.bind = bind


def _file(frame):
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if ROOT in path.parents:
            return path.relative_to(ROOT).as_posix()
        frame = frame.f_back
    return ""
