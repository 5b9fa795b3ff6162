"""A pytree as arrays by their paths, and back in the kinds and places of a template's leaves."""

from __future__ import annotations

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import dtypes
from jax.sharding import Sharding

from jaxgen.train.manifest import CheckpointError


def named_leaves(argument: str, tree: Any, *kinds: type, part: str = "") -> dict[str, Any]:
    """Returns the leaves of `tree` by their paths, each of one of `kinds`.

    Args:
      argument: what errors call the tree.
      part: the path of the tree itself, in a larger one.
    Raises:
      ValueError: a leaf is of another kind.
    """
    leaves = {
        part + jax.tree_util.keystr(path): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }
    for name, leaf in leaves.items():
        if not isinstance(leaf, kinds):
            came = type(leaf).__name__
            raise ValueError(f"{argument}: got {came} at {name}, expected a jax.Array")
    return leaves


def within(part: str, described: dict[str, str]) -> dict[str, str]:
    """Returns the leaves that stand at the path `part` or below it.

    Raises:
      CheckpointError: there are none.
    """
    found = {
        name: leaf
        for name, leaf in described.items()
        if name.startswith(part) and name[len(part) : len(part) + 1] in ("", ".", "[")
    }
    if part and not found:
        steps = [re.findall(r"\.\w+|\[[^]]*\]", name) for name in described]
        parts = sorted({"".join(path[:depth]) for path in steps for depth in (1, 2)})
        raise CheckpointError(
            f"part: got {part}, expected the path of a part of the checkpoint, such as "
            f"{', '.join(parts[:20])}"
        )
    return found


def same_leaves(expected: dict[str, str], saved: dict[str, str]) -> None:
    """Checks that the leaves have the same paths, shapes and types.

    Raises:
      CheckpointError: they have not; the message names the first paths that differ.
    """
    names = list(expected) + [name for name in saved if name not in expected]
    wrong = [name for name in names if expected.get(name) != saved.get(name)]
    if wrong:
        listed = "; ".join(
            f"{name}: got {saved.get(name, 'nothing')}, expected {expected.get(name, 'nothing')}"
            for name in wrong[:5]
        )
        more = f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise CheckpointError(f"template: the checkpoint is of another tree: {listed}{more}")


def kept_dtypes(template: dict[str, Any]) -> None:
    """Checks that JAX would give every leaf the type that the template says.

    Raises:
      CheckpointError: it would cast one, as it does 64 bits to 32 unless told otherwise.
    """
    for name, leaf in template.items():
        if not is_key(leaf) and (given := dtypes.canonicalize_dtype(leaf.dtype)) != leaf.dtype:
            raise CheckpointError(
                f"template: got {describe(leaf)} at {name}, which JAX would cast to {given}, "
                "expected jax_enable_x64 to be on: nothing is cast"
            )


def plain(leaf: Any) -> Any:
    """Returns the leaf, of a typed key its data."""
    return jax.random.key_data(leaf) if is_key(leaf) else leaf


def describe(leaf: Any) -> str:
    """Returns type and shape, such as float32[20,30]."""
    return f"{leaf.dtype}[{','.join(map(str, leaf.shape))}]"


def placed(array: np.ndarray, leaf: Any) -> jax.Array:
    """Returns `array` as a `jax.Array` of its own, of the kind and in the place of `leaf`."""
    # An uncommitted array stays free to follow the rest of a computation onto a mesh.
    place = leaf.sharding if getattr(leaf, "committed", True) else None
    if not is_key(leaf):
        # NumPy's files know nothing of bfloat16 and the like but their bytes.
        return _put(array.view(leaf.dtype), place)
    impl = jax.random.key_impl(jnp.zeros((), leaf.dtype))
    return jax.random.wrap_key_data(_put(array, place), impl=impl)


def _put(array: np.ndarray, place: Sharding | None) -> jax.Array:
    if place is None or place.is_fully_addressable:
        return jax.device_put(jnp.array(array), place)
    # Of the devices of several processes, each fills its own.
    return jax.make_array_from_callback(array.shape, place, lambda index: array[index])


def is_key(leaf: Any) -> bool:
    """Returns whether the leaf is an array of typed keys."""
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
