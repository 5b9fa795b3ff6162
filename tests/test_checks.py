"""Checks of numbers: Python's and NumPy's alike, whatever their width; arrays are trusted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.checks import at_least, not_negative, positive

KINDS = (int, float, np.int64, np.float16, np.float32, np.float64)
REFUSED = {positive: (-1, 0), not_negative: (-1,)}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("check", REFUSED, ids=lambda check: check.__name__)
def test_a_number_of_any_kind_is_checked(check, kind):
    assert check("x", kind(1)) == 1
    for bad in REFUSED[check]:
        with pytest.raises(ValueError, match=rf"^x: got {kind(bad)}, expected a"):
            check("x", kind(bad))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in (int, np.int64)])
@pytest.mark.parametrize("check", REFUSED, ids=lambda check: check.__name__)
def test_what_is_no_finite_number_is_refused(check, kind):
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match=rf"^x: got {bad}, expected"):
            check("x", kind(bad))


def test_known_arrays_are_checked_and_traced_ones_are_trusted():
    with pytest.raises(ValueError, match=r"^x: got -1.0, expected a positive number"):
        positive("x", jnp.float32(-1))
    assert jax.jit(lambda x: positive("x", x))(-1.0) == -1


def test_whole_numbers_are_those_of_any_kind_but_no_truth_values():
    assert at_least("n", np.int64(3), 1) == 3
    for bad in (0, 2.5, True, "3"):
        with pytest.raises(ValueError, match=r"^n: got .*, expected an integer >= 1"):
            at_least("n", bad, 1)
