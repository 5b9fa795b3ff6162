"""A job that is done by this package and by others: who does it, and how far answers may differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

Call: TypeAlias = Callable[[int], float]
"""`index of the call -> the answer`."""


class Job(NamedTuple):
    """What is timed.

    Attributes:
      work: the job and its size.
      answer: what every contestant returns.
      tolerance: by how much the mean answers may differ; those of random draws only agree so far.
      ours: makes this package's contestant.
      peers: by name, the packages that it needs and what makes it.
    Example:
      >>> Job("the sum of a million numbers", "the sum", 1.0, ours, {"numpy": (("numpy",), theirs)})
    """

    work: str
    answer: str
    tolerance: float
    ours: Callable[[], Call]
    peers: Mapping[str, tuple[tuple[str, ...], Callable[[], Call]]]
