"""Params of nets that were trained once and are part of this package."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxgen.types import Params

FILE = "teachers.npz"
SHA256 = "e1c8d690f74ec8931da52d5bea62ce037777210159fd06b18c3d17524b2b0a10"


def frozen_params(name: str) -> Params:
    """Returns the params of the net `name`, in float32: exactly those that were stored in halves.

    Raises:
      ValueError: the file is not the one that this package was made with, or has no such net.
    """
    arrays = {path: array for path, array in _file().items() if path.startswith(f"{name}/")}
    if not arrays:
        raise ValueError(f"name: got {name!r}, expected one of {FILE}")
    nested = unflatten_dict(arrays, sep="/")[name]
    with jax.ensure_compile_time_eval():  # they are constants, also where a function is traced
        return jax.tree.map(lambda array: jnp.asarray(array, jnp.float32), nested)


def pack(params: Mapping[str, Any]) -> bytes:
    """Returns the file that holds the params of several nets, rounded to half precision.

    Args:
      params: by the name of the net.
    Example:
      >>> data = pack({"pixels": {"kernel": jnp.ones((2, 3))}, "latents": {"bias": jnp.zeros(3)}})
    """
    arrays = flatten_dict(params, sep="/")
    halves = {path: np.asarray(array, np.float16) for path, array in arrays.items()}
    file = io.BytesIO()
    np.savez_compressed(file, **halves)  # type: ignore[arg-type]
    return file.getvalue()


@cache
def _file() -> dict[str, np.ndarray]:
    data = resources.files("jaxgen.certify").joinpath(FILE).read_bytes()
    return unpack(data, SHA256)


def unpack(data: bytes, sha256: str) -> dict[str, np.ndarray]:
    """Returns the arrays of a file that `pack` made, once its checksum is the one expected.

    Raises:
      ValueError: it is another.
    """
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ValueError(
            f"{FILE}: got sha256 {found}, expected {sha256}: install the package again"
        )
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {path: arrays[path] for path in arrays.files}
