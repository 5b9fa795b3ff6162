"""What stands at the rooms' doors: arguments that are not as annotated are refused by name."""

import sys
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.core import freeze
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int
from numpy.typing import ArrayLike as Listable

from jaxgen import estimators
from jaxgen.boundary import behind_a_door, checked
from jaxgen.types import Key

KEY, XS = jax.random.key(0), np.zeros((3, 2), np.float32)


class Pair(NamedTuple):
    x: int
    y: int


@checked
def public(
    key: Key = KEY,
    xs: Float[Array, "n d"] = XS,
    ys: Float[Array, "m d"] = XS,
    labels: Int[Array, " n"] | None = None,
    f: Callable[[int], int] = len,
    count: int = 1,
    scale: ArrayLike = 1.0,
    widths: tuple[int, ...] = (),
    names: Sequence[str] = (),
    pair: Pair | None = None,
    order: Literal["rows", "columns"] = "rows",
    options: dict[str, Any] | None = None,
):
    """Returns its xs."""
    return xs


@pytest.mark.parametrize(
    "argument",
    [
        {"xs": [[1.0, 2.0]]},
        {"xs": np.ones((3, 2))},
        {"xs": jnp.ones((3, 2), jnp.bfloat16)},
        {"xs": jnp.ones((3, 2), int)},
        {"xs": jnp.ones((4, 2)), "labels": jnp.zeros(4, jnp.uint8)},
        {"f": jnp.sum},
        {"count": np.int64(3)},
        {"count": jnp.int32(3)},
        {"scale": np.float32(2)},
        {"scale": [1.0, 2.0]},
        {"widths": [32, 32]},
        {"widths": np.array([32, 32])},
        {"names": ["kl", "gan"]},
        {"pair": Pair(1, 2)},
        {"options": freeze({"a": 1})},
    ],
    ids="-".join,
)
def test_what_serves_is_let_in(argument):
    assert public(**argument) is argument.get("xs", XS)


@pytest.mark.parametrize(
    ("argument", "refusal"),
    [
        ({"key": 0}, "key: got 0, expected one key, such as jax.random.key(0)"),
        ({"key": jax.random.split(KEY)}, "key: got key<fry>[2], expected one key, such as"),
        ({"xs": None}, "xs: got None, expected Float[Array, 'n d']"),
        ({"xs": "digits"}, "xs: got 'digits', expected Float[Array, 'n d']"),
        ({"xs": [[1.0], [1.0, 2.0]]}, "xs: got [[1.0], [1.0, 2.0]], expected Float[Array, 'n d']"),
        ({"xs": jnp.ones(3)}, "xs: got float32[3], expected Float[Array, 'n d']"),
        ({"xs": np.ones((3, 2), np.uint8)}, "xs: got uint8[3,2], expected Float[Array, 'n d']"),
        ({"xs": KEY}, "xs: got key<fry>[], expected Float[Array, 'n d']"),
        (
            {"xs": XS, "ys": jnp.ones((3, 3))},
            "ys: got float32[3,3], expected Float[Array, 'm d'] of the sizes that xs float32[3,2] "
            "has",
        ),
        ({"f": None}, "f: got None, expected a function"),
        ({"count": 1.5}, "count: got 1.5, expected an integer"),
        ({"scale": None}, "scale: got None, expected a number or an array"),
        ({"widths": 32}, "widths: got 32, expected tuple[int, ...]"),
        ({"names": "kl"}, "names: got 'kl', expected Sequence[str]"),
        ({"pair": Pair}, "pair: got the class Pair, expected Pair or None"),
        ({"pair": (1, 2)}, "pair: got (1, 2), expected Pair or None"),
        ({"order": "row"}, "order: got 'row', expected 'rows' or 'columns'"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_is_not_as_annotated_is_refused(argument, refusal):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        public(**argument)
    assert str(error.value).startswith(refusal)


def test_what_was_let_in_is_named_where_the_function_fails():
    @checked
    def slope(x: Float[Array, ""]):
        return jax.grad(jnp.square)(x)

    with pytest.raises(ValueError, match=r"x: got int32\[\], expected Float\[Array, ''\]") as error:
        slope(jnp.int32(3))
    assert isinstance(error.value.__cause__, TypeError)  # JAX's own words


def test_other_errors_and_missing_arguments_stay_as_they_are():
    @checked
    def fails(x: Float[Array, ""], y: int):
        raise ValueError("x: got 1, expected 2")

    with pytest.raises(ValueError, match="x: got 1, expected 2"):
        fails(jnp.int32(1), 2)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'y'"):
        fails(1.0)


def test_traced_arguments_are_compared_too_and_nothing_is_compiled_twice():
    traced = jax.jit(lambda xs, ys: public(KEY, xs, ys))
    with pytest.raises(ValueError, match=r"ys: got float32\[3,3\]"):
        traced(XS, jnp.ones((3, 3)))
    per_row = jax.vmap(lambda xs: public(xs=xs))(jnp.ones((5, 3, 2)))
    assert per_row.shape == (5, 3, 2)


def test_a_door_is_one_and_stands_before_functions_alone():
    assert behind_a_door(public.__wrapped__) is public
    assert behind_a_door(3) == 3
    assert behind_a_door(Pair) is Pair
    assert estimators.pathwise.__wrapped__.__module__ == "jaxgen.estimators.pathwise"
    assert estimators.pathwise.__doc__ == estimators.pathwise.__wrapped__.__doc__


def test_a_command_line_without_jax_is_not_kept_waiting(monkeypatch):
    monkeypatch.delitem(sys.modules, "jax")
    assert public(count="text") is XS


def test_keys_in_a_tuple_do_not_hide_what_follows():
    """NumPy holds none."""

    @checked
    def trained(keys: tuple[Key, Key], xs: Float[Array, " n"], count: int = 1):
        return xs

    with pytest.raises(ValueError, match=r"^xs: got None, expected Float\[Array, 'n'\]"):
        trained((KEY, KEY), None)
    with pytest.raises(ValueError, match=r"(?s)^xs: got \(.*\), expected Float\[Array, 'n'\]"):
        trained((KEY, KEY), (KEY, KEY))
    with pytest.raises(ValueError, match=r"(?s)^count: got \(.*\), expected an integer"):
        trained((KEY, KEY), XS[:, 0], (KEY, KEY))


@pytest.mark.parametrize("values", ["one", ["one"], None, [[1.0], [1.0, 2.0]]])
def test_words_are_no_numbers_to_be_drawn(values):
    @checked
    def drawn(values: Listable):
        return values

    with pytest.raises(ValueError, match=r"^values: got .*, expected an array or lists of numbers"):
        drawn(values)
    assert drawn([[1, 2.0], [np.inf, 3]])
