"""A training whose data stay on the host: the numbers of the resident one, stopped anywhere."""

import dataclasses
import json
import os
import signal
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxgen.train.stream as stream_module
import jaxgen.workbench.streaming as streaming_module
from jaxgen.train import CheckpointError, gradient_step, init_state, mean_over_batch
from jaxgen.workbench import Draws, ImageConfig, Interrupted, Sets, begin, train

DATA = np.linspace(-1, 1, 21, dtype=np.float32)
OPTIMIZER = optax.adam(0.1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(ImageConfig):
    """A training of the tests: four epochs of five steps, streamed in chunks of one or two."""

    epochs: int = 4
    batch_size: int = 4
    schedule: ClassVar[str] = "constant"


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(stream_module, "CHUNK_BYTES", 33)


def one(params, key, x, pull=1.0):
    error = (params["w"] - pull * x - 0.1 * jax.random.normal(key)) ** 2
    return error, {"elbo": -error}


UPDATE = gradient_step(mean_over_batch(one), OPTIMIZER)


def pulled(pull):
    return gradient_step(mean_over_batch(lambda *at: one(*at, pull)), OPTIMIZER)


@jax.jit
def judge(params, key, held_out):
    return {"elbo": -(params["w"] ** 2)}


def train_in(path, data=DATA, update=UPDATE, weights=None, **flags):
    out = begin(Config(run_dir=str(path), resume=(path / "config.json").exists(), **flags))
    state = init_state({"w": jnp.array(3.0)}, OPTIMIZER)
    return train(out, state, update, data, judge, key=jax.random.key(0), weights=weights).params


def records(path):
    lines = (path / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(x).items() if k != "seconds"} for x in lines]


def same(path, other, params, others):
    np.testing.assert_array_equal(params["w"], others["w"])
    assert records(path) == records(other)


@pytest.mark.parametrize(
    "options",
    [{}, {"devices": 2}, {"update": pulled, "weights": lambda epoch: np.float32(epoch)}],
    ids=["plain", "devices", "weights"],
)
def test_the_numbers_of_the_resident_training_to_the_bit(tmp_path, options):
    params = [
        train_in(tmp_path / stream, stream=stream, **options) for stream in ("never", "always")
    ]
    same(tmp_path / "never", tmp_path / "always", *params)
    assert not (tmp_path / "always" / "halfway").exists()


class Signaling:
    """Data whose n-th chunk is read when a signal comes."""

    def __init__(self, at):
        self.shape, self.dtype, self.at, self.reads = DATA.shape, DATA.dtype, at, 0

    def __getitem__(self, indices):
        self.reads += 1
        if self.reads == self.at:
            os.kill(os.getpid(), signal.SIGTERM)
        return DATA[indices]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "run"
    return path, train_in(path, stream="never")


@pytest.mark.parametrize("save_all", [True, False])
@pytest.mark.parametrize("at", [2, 5])
def test_stopped_in_the_middle_and_resumed_to_the_bit(tmp_path, monkeypatch, whole, at, save_all):
    """Three chunks are an epoch: in the first, and in the second; which ends if the first is not
    saved."""
    seconds = -1.0 if save_all else 1e9
    monkeypatch.setattr("jaxgen.workbench.epoch_loop.SECONDS_BETWEEN_CHECKPOINTS", seconds)
    with pytest.raises(Interrupted, match=r"SIGTERM: (step . of 5 of )?epoch . .*is saved") as said:
        train_in(tmp_path / "run", Signaling(at), stream="always")
    in_the_middle = save_all or at == 2
    assert ("step" in str(said.value)) == in_the_middle
    assert (tmp_path / "run" / "halfway").exists() == in_the_middle
    resumed = Signaling(0)
    params = train_in(tmp_path / "run", resumed, stream="always")
    same(whole[0], tmp_path / "run", whole[1], params)
    assert resumed.reads < 12


def test_a_kill_loses_what_was_not_saved_within_the_epoch(tmp_path, monkeypatch, whole):
    """Without a signal it is saved as time passes; `never` ends the epoch from its beginning."""
    monkeypatch.setattr(streaming_module, "SECONDS_BETWEEN_SAVES", -1.0)

    class Dying(Signaling):
        def __getitem__(self, indices):
            self.reads += 1
            if self.reads == 3:
                raise OSError("the power is gone")
            return DATA[indices]

    for stream, reads in {"always": 10, "never": 0}.items():
        path = tmp_path / stream
        with pytest.raises(OSError, match="the power is gone"):
            train_in(path, Dying(0), stream="always")
        resumed = Signaling(0)
        data = resumed if stream == "always" else DATA
        same(whole[0], path, whole[1], train_in(path, data, stream=stream))
        assert resumed.reads == reads


def test_what_another_run_saved_is_refused_or_left_alone(tmp_path, monkeypatch, whole):
    monkeypatch.setattr("jaxgen.workbench.epoch_loop.SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    for seed in (0, 1):
        with pytest.raises(Interrupted):
            train_in(tmp_path / str(seed), Signaling(2), stream="always", seed=seed)
    (tmp_path / "0" / "halfway").rename(tmp_path / "gone")
    (tmp_path / "1" / "halfway").rename(tmp_path / "0" / "halfway")
    with pytest.raises(CheckpointError, match=r"within epoch 1 is of another run"):
        train_in(tmp_path / "0", stream="always")
    params = train_in(tmp_path / "0", stream="always", fall_back=True)
    same(whole[0], tmp_path / "0", whole[1], params)


def test_chosen_by_size(monkeypatch):
    monkeypatch.setattr(streaming_module, "device_memory", lambda: 4 * DATA.nbytes)
    choose = streaming_module.is_streamed
    assert not choose(DATA, Config())
    assert choose((DATA, DATA[:, None]), Config())
    assert choose(DATA, Config(stream="always"))
    assert not choose((DATA, DATA), Config(stream="never"))
    assert not choose(Draws(jax.random.normal, 3), Config())
    with pytest.raises(ValueError, match="stream: got 'always' of data that are Sets, expected"):
        choose(Sets((DATA, DATA)), Config(stream="always"))


def test_a_device_has_memory():
    assert 2**28 < streaming_module.device_memory() < 2**44
