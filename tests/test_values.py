"""Values that are known by the call that made them."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.values import Value, known_by_call, known_by_name


class Scaling(Value):
    name: str
    apply: Callable


IDENTITY = known_by_name("IDENTITY", Scaling("identity", lambda x: x))


@known_by_call
def scaling(factor=2.0, *, then=IDENTITY):
    return Scaling("scaling", lambda x: then.apply(factor * x))


@known_by_call
def power(exponent):
    return IDENTITY if exponent == 1 else Scaling("power", lambda x: x**exponent)


@known_by_call
def total(*functions):
    return lambda x: sum(f(x) for f in functions)


def test_equal_calls_make_equal_values_of_equal_hash():
    assert scaling(3.0) == scaling(3.0) == scaling(factor=3)
    assert hash(scaling(3.0)) == hash(scaling(factor=3))
    assert scaling() == scaling(2.0, then=IDENTITY)
    assert scaling(3.0, then=scaling(5.0)) == scaling(3.0, then=scaling(5.0))
    assert scaling(3.0) != scaling(4.0)
    assert scaling(3.0) != scaling(3.0, then=scaling(5.0))
    assert power(2.0) != scaling(2.0)


def test_a_changed_copy_is_another_value():
    changed = dataclasses.replace(scaling(), apply=jnp.negative)
    assert changed != scaling()
    assert changed == dataclasses.replace(scaling(), apply=jnp.negative)
    assert repr(changed) == "Scaling(name='scaling', apply=negative)"


def test_a_value_is_shown_by_its_call():
    assert repr(scaling()) == "scaling()"
    assert repr(scaling(3.0)) == "scaling(3.0)"
    assert repr(scaling(then=scaling(3.0))) == "scaling(then=scaling(3.0))"
    assert repr(total(scaling(3.0), jnp.negative)) == "total(scaling(3.0), negative)"
    assert repr(IDENTITY) == "IDENTITY"


def test_a_constant_keeps_its_name():
    assert power(1) is IDENTITY
    assert power(1) == IDENTITY != power(2)
    assert known_by_name("IDENTITY", IDENTITY) != IDENTITY


def test_a_function_is_known_by_its_call_too():
    assert total(jnp.sin) == total(jnp.sin) != total(jnp.cos)
    np.testing.assert_array_equal(total(jnp.negative, jnp.negative)(jnp.ones(2)), -2.0)


def test_equal_values_are_compiled_once():
    traces = []

    def apply(value, x):
        traces.append(value)
        return value.apply(x)

    jitted = jax.jit(apply, static_argnums=0)
    for _ in range(3):
        jitted(scaling(3.0, then=scaling(5.0)), 1.0)
    assert len(traces) == 1
    assert jitted(scaling(4.0), 1.0) == 4.0
    assert len(traces) == 2


def test_arrays_work_and_are_not_hashable():
    value = scaling(jnp.ones(2))
    assert value == value
    assert value != scaling(jnp.ones(2))
    with pytest.raises(TypeError, match="factor: got ArrayImpl, which is not hashable"):
        hash(value)
    np.testing.assert_array_equal(jax.jit(lambda t: scaling(t).apply(3.0))(jnp.ones(2)), 3.0)


def test_a_value_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        IDENTITY.name = "other"
