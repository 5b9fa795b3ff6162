"""The two ways in which a training ends early; the command line turns each into an exit code."""

from __future__ import annotations

import signal
from pathlib import Path


class TrainingFailed(RuntimeError):
    """The numbers went bad; the message names the step, the term and the last good checkpoint."""


class Interrupted(Exception):
    """A signal asked the run to stop, and it stopped with a checkpoint in `run_dir`.

    Example:
      >>> raise Interrupted(signal.SIGINT, run.path, "epoch 12 of 100 is saved")
    """

    def __init__(self, signum: signal.Signals, run_dir: Path, saved: str):
        super().__init__(f"interrupted by {signum.name}: {saved} in {run_dir}")
        self.signum = signum
        self.run_dir = run_dir
        self.saved = saved
