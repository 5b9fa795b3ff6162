"""The flags that recipes share. A recipe extends one of these and gives its own defaults."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import tyro

from jaxgen.workbench.fields import AtLeast, Count, Positive, Whole, check_fields
from jaxgen.workbench.requirements import require_extra

if TYPE_CHECKING:
    from jaxtyping import Array, Key

Directory: TypeAlias = Annotated[str | None, tyro.conf.arg(metavar="PATH")]
"""A folder, or None."""

NOT_COMPARED_ON_RESUME = frozenset(
    {
        *("compilation_cache", "data_dir", "run_dir", "resume", "fall_back", "devices", "stream"),
        *("tensorboard", "wandb", "quiet", "verbose"),
    }
)
"""Fields that say where a run takes place, not what it computes: they may change on resuming."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What every recipe is told. A field's type is its check: see `jaxgen.workbench.fields`.

    Raises:
      ValueError: a value is out of range; the message names the argument.
    Example:
      >>> import dataclasses
      >>> @dataclasses.dataclass(frozen=True, kw_only=True)
      ... class Config(RunConfig):
      ...     trials: Count = 200
      ...     '''Independent pairs of samples.'''
      >>> Config(trials=0)
      Traceback (most recent call last):
      ValueError: trials: got 0, expected an integer >= 1
    """

    seed: Whole = 0
    """Fixes initialization, order of the data and every random draw."""
    run_dir: Directory = None
    """Where everything is written; runs/NAME-TIME if not given."""
    compilation_cache: bool = True
    """Keep compiled programs for the next run, in the user's cache directory (2 GiB at most)."""

    def __post_init__(self) -> None:
        check_fields(self)

    def keys(self, count: int) -> Key[Array, "count"]:
        """Returns so many random keys, which the seed fixes.

        Example:
          >>> key_init, key_fit, key_judge = config.keys(3)
        """
        import jax

        return jax.random.split(jax.random.key(self.seed), count)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingConfig(RunConfig):
    """What a recipe that trains is told.

    Raises:
      ValueError: as `RunConfig`.
    Example:
      >>> import dataclasses
      >>> @dataclasses.dataclass(frozen=True, kw_only=True)
      ... class Config(TrainingConfig):
      ...     epochs: int = 200
      ...     latents: Count = 16
      ...     '''Dimensions of the latent.'''
      >>> Config().num_steps(1280)
      2000
    """

    epochs: Count = 100
    """Passes over the training set."""
    batch_size: Count = 128
    """Images per update, over all devices together."""
    learning_rate: Positive = 1e-3
    """Step size of the optimizer (its peak, where the recipe has a schedule)."""
    resume: bool = False
    """Continue the run in --run-dir from its last checkpoint; its flags are read from there."""
    fall_back: bool = False
    """With --resume: where the last checkpoint is refused, continue from the last that is in
    order."""
    devices: Count = 1
    """Devices that share each batch; a CPU pretends as many as asked."""
    tensorboard: bool = False
    """Also write every record under RUN_DIR/tensorboard (needs the extra of that name)."""
    wandb: bool = False
    """Also log every record to Weights & Biases (needs the extra of that name)."""
    quiet: bool = False
    """Say nothing but warnings and errors."""
    verbose: bool = False
    """Say all numbers of every epoch, a line each, and what computes them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch_size % self.devices:
            raise ValueError(
                f"devices: got {self.devices}, expected a divisor of batch_size={self.batch_size}"
            )
        if self.quiet and self.verbose:
            raise ValueError("quiet: got it with verbose, expected one of them")
        if self.tensorboard:
            require_extra("tensorboard", "tensorboardX", "tensorboard")
        if self.wandb:
            require_extra("wandb", "wandb", "wandb")
        if self.resume and self.run_dir is None:
            raise ValueError("resume: got no run_dir, expected the one of the run to continue")
        if self.fall_back and not self.resume:
            raise ValueError("fall_back: got it without resume, expected both")

    def num_steps(self, size: int) -> int:
        """Returns the updates of the whole training on so many datapoints.

        Example:
          >>> config.num_steps(60_000)  # 100 epochs of 468 batches: 46,800
        """
        return self.epochs * (size // self.batch_size)

    def tied_to_epochs(self) -> str | None:
        """Returns what goes by the number of epochs, so that none can be added; None if nothing.

        A recipe says whether its learning rate is constant by `schedule`, "constant" or "cosine", a
        field or a class variable.
        """
        schedule = getattr(self, "schedule", None)
        if schedule == "constant":
            return None
        if schedule == "cosine":
            return "the learning rate falls along a cosine that ends with the last epoch"
        return "this recipe does not say that its learning rate is constant"


@dataclasses.dataclass(frozen=True, kw_only=True)
class GameConfig(TrainingConfig):
    """What a recipe of a game on draws from a distribution is told.

    Example:
      >>> config = GameConfig(epochs=2, steps_per_epoch=10)
    """

    epochs: Count = 20
    """How often the samples are judged."""
    steps_per_epoch: Count = 1000
    """Steps of the generator in each."""
    batch_size: Count = 256
    """Reals, and as many fakes, per step of either player."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AlternatingConfig(GameConfig):
    """What a recipe of a game is told whose critic may move more often than the generator.

    Example:
      >>> config = AlternatingConfig(critic_steps=5)
    """

    critic_steps: Count = 1
    """Of the critic per step of the generator."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageConfig(TrainingConfig):
    """What a recipe that trains on a set of images is told.

    Example:
      >>> config = ImageConfig(dataset="mnist", epochs=3)
    """

    dataset: str = "digits"
    """The embedded set (digits), the TFDS name of a prepared image set (mnist, ...), or
    folder:PATH, images of one size, two sevenths of them held out."""
    data_dir: Directory = None
    """Where prepared TFDS sets lie; TFDS_DATA_DIR or ~/tensorflow_datasets if not given."""
    stream: Literal["auto", "always", "never"] = "auto"
    """Whether the training images stay on the host, read in chunks; auto: if they take more than a
    quarter of a device's memory. The numbers are the same to the bit."""

    @property
    def set_name(self) -> str:
        """What pictures call the set: a folder by its own name, for its path may be long.

        Example:
          >>> ImageConfig(dataset="folder:~/pictures/faces/").set_name
          'faces'
        """
        _, is_folder, path = self.dataset.rpartition("folder:")
        return Path(path).name if is_folder else self.dataset


@dataclasses.dataclass(frozen=True, kw_only=True)
class LatentConfig(ImageConfig):
    """What a recipe of images with a latent and an MLP each way is told.

    Example:
      >>> config = LatentConfig(hidden=(64,), latent_size=8)
    """

    hidden: tuple[Count, ...] = (200, 200)
    """Widths of the hidden layers of each MLP; the decoder has them in reverse."""
    latent_size: Count = 16
    """Dimensions of z."""
    nll_samples: Count = 1000
    """Importance samples per image, for log p(x)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class GapConfig(ImageConfig):
    """What a recipe is told that measures what inference loses of log p(x), image by image.

    Example:
      >>> config = GapConfig(images=20, measure_steps=100)
    """

    local_learning_rate: Positive = 0.03
    """Adam's step size for an image's variational parameters."""
    images: Annotated[int, AtLeast(2)] = 150
    """Measured of the training set, of the test set, and drawn from the model."""
    measure_steps: Count = 300
    """Updates of each image's variational parameters to find q*, with a falling step size."""
    tune_steps: Count = 2000
    """Updates of the encoder alone, on the split that it is measured on."""
    temperatures: Count = 50
    """Of annealed importance sampling, between q* and the posterior."""
    chains: Count = 8
    """Of annealed importance sampling, per image."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SequenceConfig(ImageConfig):
    """What a recipe that trains on sequences is told.

    Example:
      >>> config = SequenceConfig(dataset="stochastic_volatility", sequences=512)
    """

    dataset: str = "linear_gaussian"
    """linear_gaussian or stochastic_volatility (drawn anew from a fixed model), or a set of images
    (digits, or a TFDS name), read row by row with a cut at one half."""
    sequences: Annotated[int, AtLeast(4)] = 256
    """Training sequences drawn from a model; a quarter as many to validate and to test."""
    time: Annotated[int, AtLeast(2)] = 50
    """Length of the longest sequences drawn from a model; the shortest are half as long."""
