"""What every recipe shares: flags, run directory, training, sweeps, reports (extra `workbench`)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxgen.workbench.adversarial import Batch, player_losses, start_game, with_latents
    from jaxgen.workbench.blocks import image_by_image, map_in_blocks
    from jaxgen.workbench.cli import choose, main
    from jaxgen.workbench.config import (
        NOT_COMPARED_ON_RESUME,
        Directory,
        ImageConfig,
        LatentConfig,
        RunConfig,
        TrainingConfig,
        require_devices,
    )
    from jaxgen.workbench.errors import Interrupted, TrainingFailed
    from jaxgen.workbench.features import (
        Classifier,
        TrainedClassifier,
        feature_logits,
        image_features,
        load_classifier,
        save_classifier,
    )
    from jaxgen.workbench.fields import (
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
    from jaxgen.workbench.fitting import averaged_params, fit
    from jaxgen.workbench.images import Images, load_images
    from jaxgen.workbench.optimizer import make_optimizer
    from jaxgen.workbench.progress_bar import progress
    from jaxgen.workbench.records import to_json
    from jaxgen.workbench.run import Run, Table, begin
    from jaxgen.workbench.run_directory import RunDirectory, new_path, open_run
    from jaxgen.workbench.summary import Mean, judge_by, mean_over_images
    from jaxgen.workbench.sweeps import Swept, sweep
    from jaxgen.workbench.table import print_table
    from jaxgen.workbench.tensorboard_events import tensorboard
    from jaxgen.workbench.training import Draws, Trained, train
    from jaxgen.workbench.vae import bias_of_mean, constant, image_vae, negative_elbo

_FILES = {
    "adversarial": ("Batch", "player_losses", "start_game", "with_latents"),
    "blocks": ("image_by_image", "map_in_blocks"),
    "cli": ("choose", "main"),
    "config": (
        *("NOT_COMPARED_ON_RESUME", "Directory", "ImageConfig", "LatentConfig", "RunConfig"),
        *("TrainingConfig", "require_devices"),
    ),
    "errors": ("Interrupted", "TrainingFailed"),
    "features": (
        *("Classifier", "TrainedClassifier", "feature_logits", "image_features"),
        *("load_classifier", "save_classifier"),
    ),
    "fields": (
        *("RISING", "SEVERAL", "Among", "AtLeast", "Count", "NonNegative", "Positive", "Rule"),
        *("Share", "Whole", "check_fields"),
    ),
    "fitting": ("averaged_params", "fit"),
    "vae": ("bias_of_mean", "constant", "image_vae", "negative_elbo"),
    "images": ("Images", "load_images"),
    "optimizer": ("make_optimizer",),
    "progress_bar": ("progress",),
    "records": ("to_json",),
    "run": ("Run", "Table", "begin"),
    "run_directory": ("RunDirectory", "new_path", "open_run"),
    "summary": ("Mean", "judge_by", "mean_over_images"),
    "sweeps": ("Swept", "sweep"),
    "table": ("print_table",),
    "tensorboard_events": ("tensorboard",),
    "training": ("Draws", "Trained", "train"),
}
_HOME = {name: file for file, names in _FILES.items() for name in names}

__all__ = [  # written out: type checkers read it
    "NOT_COMPARED_ON_RESUME",
    "RISING",
    "SEVERAL",
    "Among",
    "AtLeast",
    "Batch",
    "Classifier",
    "Count",
    "Directory",
    "Draws",
    "ImageConfig",
    "Images",
    "Interrupted",
    "LatentConfig",
    "Mean",
    "NonNegative",
    "Positive",
    "Rule",
    "Run",
    "RunConfig",
    "RunDirectory",
    "Share",
    "Swept",
    "Table",
    "Trained",
    "TrainedClassifier",
    "TrainingConfig",
    "TrainingFailed",
    "Whole",
    "averaged_params",
    "begin",
    "bias_of_mean",
    "check_fields",
    "choose",
    "constant",
    "feature_logits",
    "fit",
    "image_by_image",
    "image_features",
    "image_vae",
    "judge_by",
    "load_classifier",
    "load_images",
    "main",
    "make_optimizer",
    "map_in_blocks",
    "mean_over_images",
    "negative_elbo",
    "new_path",
    "open_run",
    "player_losses",
    "print_table",
    "progress",
    "require_devices",
    "save_classifier",
    "start_game",
    "sweep",
    "tensorboard",
    "to_json",
    "train",
    "with_latents",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = importlib.import_module(f"{__name__}.{_HOME[name]}")
    except ModuleNotFoundError as error:
        if error.name in ("filelock", "matplotlib", "rich", "tyro"):
            raise ImportError(
                f"jaxgen.workbench.{name} needs {error.name}: pip install 'jaxgen[workbench]'"
            ) from error
        raise
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
