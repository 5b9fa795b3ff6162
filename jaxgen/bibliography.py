"""The sources that docstrings cite: title, place and link, by the citation as it stands there.

The entries are in `bibliography.toml` beside this file. Two sources of the same names and year are
told apart by a letter: (2017a), (2017b).
"""

from __future__ import annotations

import difflib
import importlib.resources
import tomllib
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Publication(NamedTuple):
    """An article, a book or a thesis.

    Example:
      >>> Publication("Neal", "Annealed importance sampling", "Statistics and Computing 11").link
      ''
    """

    authors: str
    """Surnames, separated by commas."""
    title: str
    venue: str
    """The conference, the journal with its volume, or the publisher."""
    link: str = ""
    """To its DOI, its page on arXiv or that of the proceedings; empty where none is known."""


def _read() -> dict[str, Publication]:
    text = importlib.resources.files("jaxgen").joinpath("bibliography.toml").read_text("utf-8")
    return {citation: Publication(**entry) for citation, entry in tomllib.loads(text).items()}


BIBLIOGRAPHY: Mapping[str, Publication] = MappingProxyType(_read())
"""Every publication that is cited, by its citation."""


def publication(citation: str) -> Publication:
    """Returns what a docstring cites.

    Args:
      citation: names and year alone, without section or equation.
    Raises:
      ValueError: nothing is cited so; the message names the citation that is nearest.
    Example:
      >>> publication("Kingma & Welling (2014)").link
      'https://arxiv.org/abs/1312.6114'
      >>> publication("Kingma & Welling, 2014")
      Traceback (most recent call last):
      ValueError: citation: got 'Kingma & Welling, 2014', expected 'Kingma & Welling (2014)' or
      another key of `BIBLIOGRAPHY`
    """
    if not isinstance(citation, str) or citation not in BIBLIOGRAPHY:
        near, *_ = difflib.get_close_matches(str(citation), BIBLIOGRAPHY, n=1, cutoff=0.0)
        raise ValueError(
            f"citation: got {citation!r}, expected {near!r} or another key of `BIBLIOGRAPHY`"
        )
    return BIBLIOGRAPHY[citation]
