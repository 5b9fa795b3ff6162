"""The records of a run as TensorBoard reads them; needs the extra `tensorboard`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np


def tensorboard(run: Path) -> Callable[..., None]:
    """Returns the function that also writes a record under RUN/tensorboard, by its epoch.

    Watch it with `tensorboard --logdir RUN`. Steps that a resumed run makes again are written
    again; metrics.jsonl is the record that counts. Lists, such as a number of every seed, are left
    to it.

    Example:
      >>> import importlib.util
      >>> from pathlib import Path
      >>> if importlib.util.find_spec("tensorboardX"):  # of the extra `tensorboard`
      ...     watch = tensorboard(Path("runs"))
      ...     watch({"epoch": 1, "train_elbo": -93.1})
    """
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(str(run / "tensorboard"), flush_secs=1)

    def watch(record: Mapping[str, Any], evaluated: Any = None) -> None:
        for name, value in record.items():
            if name != "epoch" and np.ndim(value) == 0:
                writer.add_scalar(name, float(value), record["epoch"])

    return watch
