"""The types of fields are their checks: what each accepts, what it says of the rest."""

import dataclasses
from typing import Annotated, Literal

import numpy as np
import pytest

from jaxgen.divergences import DIVERGENCES
from jaxgen.workbench import (
    F_DIVERGENCES,
    RISING,
    SEVERAL,
    Among,
    AtLeast,
    Count,
    NonNegative,
    Positive,
    Rule,
    Share,
    Whole,
    check_fields,
)

GAMES = {"chess": 1, "go": 2}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """One field of every kind."""

    count: Count = 1
    whole: Whole = 0
    least: Annotated[int, AtLeast(2)] = 2
    even: Annotated[int, Rule(lambda n: n % 2 == 0, "an even number")] = 2
    positive: Positive = 1.0
    non_negative: NonNegative = 0.0
    share: Share = 0.5
    number: float = 0.0
    integer: int = 0
    text: str = ""
    switch: bool = False
    optional: Positive | None = None
    word: Literal["auto", "none"] = "auto"
    game: Annotated[str, Among(GAMES)] = "go"
    widths: tuple[Count, ...] = ()
    pair: tuple[float, float] = (0.0, 1.0)
    games: Annotated[tuple[str, ...], Among(GAMES), SEVERAL] = ("go",)
    rising: Annotated[tuple[Count, ...], RISING] = (1, 4)

    def __post_init__(self):
        check_fields(self)


@pytest.mark.parametrize(
    ("field", "given", "stored"),
    [
        ("count", np.int64(3), 3),
        ("positive", 2, 2.0),
        ("positive", np.float32(0.5), 0.5),
        ("whole", 2**32 - 1, 2**32 - 1),
        ("optional", None, None),
        ("optional", 3, 3.0),
        ("widths", [5, 6], (5, 6)),
        ("widths", (), ()),
        ("pair", [1, 2], (1.0, 2.0)),
        ("games", ("chess", "go"), ("chess", "go")),
        ("share", 1e-9, 1e-9),
        ("number", -3.5, -3.5),
    ],
)
def test_what_a_field_accepts_is_stored_as_its_type(field, given, stored):
    value = getattr(Config(**{field: given}), field)
    assert value == stored
    assert type(value) is type(stored)


@pytest.mark.parametrize(
    ("field", "given", "expected"),
    [
        ("count", 0, "an integer >= 1"),
        ("count", 1.0, "an integer >= 1"),
        ("count", True, "an integer >= 1"),
        ("count", "1", "an integer >= 1"),
        ("count", 10**22, r"an integer below 2\*\*32"),
        ("integer", -(10**22), r"an integer below 2\*\*32"),
        ("whole", -1, "an integer >= 0"),
        ("least", 1, "an integer >= 2"),
        ("even", 3, "an even number"),
        ("positive", 0.0, "a positive number"),
        ("positive", float("inf"), "a positive number"),
        ("positive", float("nan"), "a positive number"),
        ("positive", True, "a positive number"),
        ("non_negative", -0.1, "a finite number >= 0"),
        ("share", 0.0, r"a number in \(0, 1\)"),
        ("share", 1.0, r"a number in \(0, 1\)"),
        ("number", float("-inf"), "a finite number"),
        ("number", "1", "a finite number"),
        ("integer", 1.5, "an integer"),
        ("text", 1, "text"),
        ("switch", 1, "true or false"),
        ("optional", 0.0, "a positive number"),
        ("optional", "none", "a positive number"),
        ("word", "off", "one of auto, none"),
        ("game", "poker", "one of chess, go"),
        ("widths", (3, 0), "an integer >= 1"),
        ("widths", 3, "a list"),
        ("pair", (1.0,), "2 items"),
        ("games", (), "one or more, each once"),
        ("games", ("go", "go"), "one or more, each once"),
        ("games", ("go", "poker"), "one of chess, go"),
        ("rising", (4, 1), "one number or more, rising"),
        ("rising", (), "one number or more, rising"),
        ("rising", (0, 1), "an integer >= 1"),
    ],
)
def test_what_a_field_refuses_is_named_with_what_it_expects(field, given, expected):
    with pytest.raises(ValueError, match=rf"^{field}: got .*, expected {expected}"):
        Config(**{field: given})


def test_an_item_that_is_refused_is_shown_alone():
    with pytest.raises(ValueError, match=r"^widths: got 0, "):
        Config(widths=(200, 0))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Derived(Config):
    """Other defaults, by plain types."""

    count: int = 7
    optional: float | None = 3.0


def test_a_field_with_another_default_keeps_its_rules():
    assert Derived().count == 7
    with pytest.raises(ValueError, match=r"count: got 0, expected an integer >= 1"):
        Derived(count=0)
    with pytest.raises(ValueError, match=r"optional: got -1\.0, expected a positive number"):
        Derived(optional=-1.0)


def test_flags_name_every_f_divergence():
    assert tuple(DIVERGENCES) == F_DIVERGENCES
