"""What every recipe shares: its command line, run directory, progress, interrupts and pictures."""

from jaxgen.workbench.blocks import map_in_blocks
from jaxgen.workbench.cli import choose, main
from jaxgen.workbench.config import Directory, RunConfig, TrainingConfig, require_devices
from jaxgen.workbench.errors import TrainingFailed
from jaxgen.workbench.features import (
    Classifier,
    TrainedClassifier,
    feature_logits,
    image_features,
    load_classifier,
    save_classifier,
)
from jaxgen.workbench.fit import fit
from jaxgen.workbench.progress import progress
from jaxgen.workbench.records import to_json
from jaxgen.workbench.run_directory import RunDirectory, new_path, open_run
from jaxgen.workbench.table import print_table
from jaxgen.workbench.tensorboard import tensorboard

__all__ = [
    "Classifier",
    "Directory",
    "RunConfig",
    "RunDirectory",
    "TrainedClassifier",
    "TrainingConfig",
    "TrainingFailed",
    "choose",
    "feature_logits",
    "fit",
    "image_features",
    "load_classifier",
    "main",
    "map_in_blocks",
    "new_path",
    "open_run",
    "print_table",
    "progress",
    "require_devices",
    "save_classifier",
    "tensorboard",
    "to_json",
]
