"""Variables of several nets, joined into one player's and taken apart again."""

import pytest

from jaxgen.models import join_variables, variables_of


def test_what_is_joined_is_taken_apart_again():
    generator = {"params": {"w": 1}, "batch_stats": {"mean": 2}}
    encoder = {"params": {"v": 3}, "spectral": {"u": 4}}
    player = join_variables(G=generator, E=encoder)
    assert player == {
        "params": {"G": {"w": 1}, "E": {"v": 3}},
        "batch_stats": {"G": {"mean": 2}},
        "spectral": {"E": {"u": 4}},
    }
    assert variables_of(player, "G") == generator
    assert variables_of(player, "E") == encoder
    assert join_variables(G={}, E={}) == {}
    with pytest.raises(ValueError, match="net: got 'D', expected one of E, G"):
        variables_of(player, "D")
