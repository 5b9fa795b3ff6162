"""What a check of a density says: law by law, with the numbers."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """One law, and whether it was seen to hold.

    Attributes:
      law: what was checked.
      holds: whether it does, within the error that the check itself has.
      measured: the numbers, got and expected.
    Example:
      >>> Finding("normalization", False, "got 2.0, expected 1").holds
      False
    """

    law: str
    holds: bool
    measured: str


class DensityReport(NamedTuple):
    """All that was checked of a density; printed, a line for each law.

    Attributes:
      findings: in the order in which they were made. What does not apply is not among them.
    Example:
      >>> report = DensityReport((Finding("normalization", True, "got 1.0, expected 1"),))
      >>> print(report)
      ok    normalization: got 1.0, expected 1
      >>> report.failures
      ()
    """

    findings: tuple[Finding, ...]

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The laws that are broken."""
        return tuple(finding for finding in self.findings if not finding.holds)

    def __str__(self) -> str:
        lines = (
            ("ok    " if of.holds else "BROKEN") + f" {of.law}: {of.measured}"
            for of in self.findings
        )
        return "\n".join(lines)
