"""Several trainings in one run: one directory each, and one that fails does not stop the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from jaxgen.workbench.errors import TrainingFailed
from jaxgen.workbench.run import Run

Setting = TypeVar("Setting")
Result = TypeVar("Result")


@dataclasses.dataclass(frozen=True)
class Swept(Generic[Result]):
    """What several trainings end with, by their names.

    Attributes:
      results: of each that did not fail.
      failed: what was not finite, and when, of each that did.
      records: what every epoch recorded; of a failed one, up to then.
      seconds: of training.
    Example:
      >>> swept = Swept({"plain": 3}, {"packed": "not finite: elbo"}, {}, {})
      >>> swept["plain"]
      3
    """

    results: dict[str, Result]
    failed: dict[str, str]
    records: dict[str, list[dict[str, Any]]]
    seconds: dict[str, float]

    def curves(self, number: str) -> list[dict[str, Any]]:
        """Returns a number's records under the names of the trainings, for `learning_curve`.

        Example:
          >>> learning_curve(
          ...     swept.curves("validation_elbo"), {name: name for name in swept.results}
          ... )
        """
        return [
            {"epoch": record["epoch"], name: record[number]}
            for name, records in self.records.items()
            for record in records
        ]

    def last(self, name: str) -> dict[str, Any]:
        """Returns what the judge said after the last epoch of one training, and its `seconds`.

        Example:
          >>> swept.last("plain")["entropy"]
        """
        return {
            number.removeprefix("validation_"): value
            for number, value in self.records[name][-1].items()
            if number.startswith("validation_") or number == "seconds"
        }

    def __getitem__(self, name: str) -> Result:
        """Returns the result of one training.

        Raises:
          TrainingFailed: that training failed.
        """
        if name in self.failed:
            raise TrainingFailed(self.failed[name])
        return self.results[name]


def sweep(
    run: Run, settings: Mapping[str, Setting], one: Callable[[Run, Setting], Result]
) -> Swept[Result]:
    """Returns what `one` makes of each setting, in a part of the run by its name.

    Give each the same keys, cloned, and they differ in nothing but their setting.

    Args:
      run: from `begin`.
      settings: by the names of the parts, letters, digits and `_.-`.
      one: `(part, setting) -> result`; it trains in the part.
    Raises:
      TrainingFailed: every training failed.
      Interrupted: a signal came; resumed, finished trainings are read back.
    Example:
      >>> swept = sweep(out, {"beta_1": 1.0, "beta_4": 4.0}, lambda part, beta: 2 * beta)
      >>> swept["beta_4"], swept.failed
      (8.0, {})
    """
    swept: Swept[Result] = Swept({}, {}, {}, {})
    for name, setting in settings.items():
        with run.part(name) as part:
            try:
                swept.results[name] = one(part, setting)
            except TrainingFailed as failure:
                swept.failed[name] = str(failure)
        swept.records[name] = part.records()
        swept.seconds[name] = swept.records[name][-1]["seconds"] if swept.records[name] else 0.0
    if not swept.results:
        raise TrainingFailed("; ".join(swept.failed.values()))
    return swept
