"""One update of the parameters, many of them in one scan, on many devices, saved and restored.

Training sees a loss only as `(params, key, batch) -> (scalar, info)`, a player's as
`(own, other, key, batch) -> (scalar, changed, info)`, a game as its `GameLosses`.
A whole training that is judged, saved and resumed is `jaxgen.workbench.train`. For early stopping
use `flax.training.early_stopping.EarlyStopping`, for clipping and skipped steps optax.

| question | answer |
|---|---|
| the loss of a batch, from that of one datapoint | `mean_over_batch` |
| one update | `gradient_step`, from `init_state` |
| one update with an estimator that learns | `estimator_step`, from `init_estimator_state` |
| one update of a GAN's two players | `game_update`, from `init_game` |
| who moves when | `critic_first`, `simultaneous`, `extragradient` |
| an epoch in one compiled program | `scan_epoch`; of fresh draws, `scan_draws` |
| of two sets without pairs; of data that do not fit | `scan_sets`; `stream_epoch` |
| many devices | `shard`, with `data_mesh` and `replicate` |
| save and go on | `save`, `restore`; what is in order, `intact_steps` |
| a critic that sees past fakes | `image_pool` |
"""

from jaxgen.boundary import doors
from jaxgen.train.alternating import alternating_step, clip_weights
from jaxgen.train.checkpoint import intact_steps, latest_step, read_note, restore, save
from jaxgen.train.epoch import Epoch, scan_draws, scan_epoch
from jaxgen.train.estimator_step import (
    EstimatorLoss,
    EstimatorTrainState,
    estimator_step,
    init_estimator_state,
)
from jaxgen.train.game import Game, Player, init_game, init_player
from jaxgen.train.game_update import game_update
from jaxgen.train.image_pool import ImagePool, PoolState, image_pool
from jaxgen.train.loss import mean_over_batch
from jaxgen.train.manifest import CheckpointError
from jaxgen.train.orders import (
    Order,
    PlayerStep,
    critic_first,
    extragradient,
    generator_first,
    simultaneous,
)
from jaxgen.train.per_device import per_device
from jaxgen.train.processes import agree_on_largest, on_first_process
from jaxgen.train.sets import scan_sets
from jaxgen.train.shard import data_mesh, replicate, shard
from jaxgen.train.step import TrainState, Update, gradient_step, init_state
from jaxgen.train.stream import Chunk, Chunks, stream_chunks, stream_epoch

__all__ = [
    "CheckpointError",
    "Chunk",
    "Chunks",
    "Epoch",
    "EstimatorLoss",
    "EstimatorTrainState",
    "Game",
    "ImagePool",
    "Order",
    "Player",
    "PlayerStep",
    "PoolState",
    "TrainState",
    "Update",
    "agree_on_largest",
    "alternating_step",
    "clip_weights",
    "critic_first",
    "data_mesh",
    "estimator_step",
    "extragradient",
    "game_update",
    "generator_first",
    "gradient_step",
    "image_pool",
    "init_estimator_state",
    "init_game",
    "init_player",
    "init_state",
    "intact_steps",
    "latest_step",
    "mean_over_batch",
    "on_first_process",
    "per_device",
    "read_note",
    "replicate",
    "restore",
    "save",
    "scan_draws",
    "scan_epoch",
    "scan_sets",
    "shard",
    "simultaneous",
    "stream_chunks",
    "stream_epoch",
]

doors(__name__)
