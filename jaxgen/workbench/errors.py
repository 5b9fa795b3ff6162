"""The two ways in which a training ends early; the command line turns each into an exit code."""

from __future__ import annotations

import signal
from pathlib import Path


class TrainingFailed(RuntimeError):
    """The numbers went bad; the message names the step, the term and the last good checkpoint.

    Example:
      >>> str(TrainingFailed("not finite: elbo at step 3 of epoch 2"))
      'not finite: elbo at step 3 of epoch 2'
    """


class Interrupted(Exception):
    """A signal asked the run to stop, and it stopped with a checkpoint in `run_dir`.

    Example:
      >>> import signal
      >>> from pathlib import Path
      >>> str(Interrupted(signal.SIGINT, Path("runs/a"), "epoch 12 of 100 is saved"))
      'interrupted by SIGINT: epoch 12 of 100 is saved in runs/a'
    """

    def __init__(self, signum: signal.Signals, run_dir: Path, saved: str):
        super().__init__(f"interrupted by {signum.name}: {saved} in {run_dir}")
        self.signum = signum
        self.run_dir = run_dir
        self.saved = saved
