"""One update of the parameters, many of them in one scan, on many devices, saved and restored.

Training sees a loss only as `(params, key, batch) -> (scalar, info)`. For early stopping use
`flax.training.early_stopping.EarlyStopping`, for clipping and skipped steps optax.
"""

from jaxgen.train.checkpoint import CheckpointError, latest_step, restore, save
from jaxgen.train.epoch import scan_epoch
from jaxgen.train.shard import data_mesh, shard
from jaxgen.train.step import TrainState, Update, gradient_step, init_state
