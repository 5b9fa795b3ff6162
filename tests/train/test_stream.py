"""A stream over data on the host against the epoch whose data live on the device."""

import functools
import gc
import threading
import weakref
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxgen.train.stream as stream_module
from jaxgen.train import (
    data_mesh,
    gradient_step,
    init_state,
    replicate,
    scan_epoch,
    shard,
    stream_chunks,
    stream_epoch,
)

SIZE, BATCH, STEPS = 30, 4, 7
"""Datapoints, two of which every epoch leaves out, and updates of an epoch."""


def loss(params, key, batch):
    """Depends on the datapoints, on their order and on the key; sums over the batch."""
    x = batch["x"].astype(jnp.float32) / 255 + 0.1 * jax.random.normal(key, batch["x"].shape)
    error = jnp.mean((jnp.tanh(x @ params) - batch["y"][:, None]) ** 2)
    return error, {"first": batch["y"][0]}


OPTIMIZER = optax.adam(0.1)
UPDATE = gradient_step(loss, OPTIMIZER)


def data():
    rng = np.random.default_rng(0)
    return {
        "x": rng.integers(0, 256, (SIZE, 5), np.uint8),
        "y": rng.normal(size=SIZE),  # float64, which JAX makes float32
    }


def start():
    return init_state(jnp.linspace(-1, 1, 15).reshape(5, 3), OPTIMIZER)


def key():
    return jax.random.key(3)


@functools.cache
def resident(num_devices):
    """What `scan_epoch` makes of it, on so many devices; None for one without a mesh."""
    if num_devices is None:
        state, update = start(), UPDATE
    else:
        mesh = data_mesh(num_devices)
        state, update = replicate(start(), mesh), shard(UPDATE, mesh)
    ended, infos = jax.jit(scan_epoch(update, BATCH))(state, key(), data())
    return jax.device_get((ended, infos))


def same(found, expected):
    """The same bits: of arrays of one dtype, compared as numbers."""
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def placed(mesh):
    return start() if mesh is None else replicate(start(), mesh)


@pytest.mark.parametrize(
    ("num_devices", "steps_per_chunk"), [(None, None), (None, 3), (None, 1), (1, 4), (2, 3)]
)
def test_equal_to_the_bit(num_devices, steps_per_chunk):
    mesh = None if num_devices is None else data_mesh(num_devices)
    epoch = stream_epoch(UPDATE, BATCH, steps_per_chunk=steps_per_chunk, mesh=mesh)
    before = placed(mesh)
    state, infos = epoch(before, key(), data())
    same((state, infos), resident(num_devices))
    assert infos["loss"].shape == (STEPS,)
    assert before.params.is_deleted()
    assert len(state.params.sharding.device_set) == (num_devices or 1)


def test_another_order_is_seen(monkeypatch):
    """The comparison tells a stream that takes the same batches from their end."""
    drawn = stream_module._drawn

    def reversed_order(*arguments):
        order, rows = drawn(*arguments)
        return order[::-1], rows

    monkeypatch.setattr(stream_module, "_drawn", reversed_order)
    with pytest.raises(AssertionError):
        same(stream_epoch(UPDATE, BATCH)(start(), key(), data()), resident(None))


@pytest.mark.parametrize("num_devices", [None, 2])
def test_resumed_at_every_step_to_the_bit(num_devices):
    mesh = None if num_devices is None else data_mesh(num_devices)
    chunks = stream_chunks(UPDATE, BATCH, steps_per_chunk=1, mesh=mesh)
    saved = [(0, jax.device_get(start()))]
    for step, state, _ in chunks(placed(mesh), key(), data()):
        saved.append((step, jax.device_get(state)))
    assert [step for step, _ in saved] == [*range(STEPS + 1)]
    whole = stream_chunks(UPDATE, BATCH, steps_per_chunk=3, mesh=mesh)
    ended, infos = resident(num_devices)
    for step, state in saved:
        state = jax.device_put(state) if mesh is None else replicate(state, mesh)
        end = step
        for chunk in whole(state, key(), data(), start=step):
            begin, (end, state, info) = end, chunk
            same(info, jax.tree.map(lambda a, of=slice(begin, end): a[of], infos))
        assert end == STEPS
        same(state, ended)


def test_two_lengths_are_compiled_once_for_all_epochs():
    """One function object is one program, also for another stream of it."""
    traced = []

    def update(state, key, batch):
        traced.append(batch.shape)
        return state + 1, {"sum": batch.sum()}

    for _ in range(2):
        epoch = stream_epoch(update, 2, steps_per_chunk=3)
        for seed in range(2):
            state, infos = epoch(jnp.int32(0), jax.random.key(seed), np.arange(22))
            assert int(state) == len(infos["sum"]) == 11
    assert len(traced) == 2  # 2 + 3 + 3 + 3 steps


class Rows:
    """No array, but the rows of one; it counts the chunks that are alive."""

    def __init__(self, array, fail_at=None):
        self.shape, self.dtype, self.array, self.fail_at = array.shape, array.dtype, array, fail_at
        self.reads, self.alive, self.most = 0, 0, 0

    def __getitem__(self, indices):
        self.reads += 1
        if self.reads == self.fail_at:
            raise OSError("the disk is gone")
        rows = self.array[indices]
        self.alive += 1
        self.most = max(self.most, self.alive)
        weakref.finalize(rows, self.forget)
        return rows

    def forget(self):
        self.alive -= 1


def readers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


def counted(state, key, batch):
    return state + 1, {}


def test_memory_is_bounded_by_three_chunks():
    rows = Rows(np.arange(120, dtype=np.int32))
    state, _ = stream_epoch(counted, 2, steps_per_chunk=1)(jnp.int32(0), key(), rows)
    assert int(state) == rows.reads == 60
    del state
    gc.collect()
    assert rows.most <= 3
    assert not rows.alive
    assert not readers()


def test_an_error_of_the_reader_is_raised_here():
    epoch = stream_epoch(counted, 2, steps_per_chunk=1)
    with pytest.raises(OSError, match="the disk is gone"):
        epoch(jnp.int32(0), key(), Rows(np.arange(20), fail_at=5))
    assert not readers()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_no_thread_is_left_behind(error):
    """Whatever ends the iteration: an error where a chunk is used, or in the update."""
    chunks = stream_chunks(counted, 2, steps_per_chunk=1)

    def interrupted():
        for step, *_ in chunks(jnp.int32(0), key(), np.arange(20)):
            assert readers()
            if step == 2:
                raise error

    with pytest.raises(error):
        interrupted()
    gc.collect()  # the traceback held the generator
    assert not readers()

    def update(state, key, batch):
        raise error

    with pytest.raises(error):
        stream_epoch(update, 2)(jnp.int32(0), key(), np.arange(20))
    assert not readers()


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="asks Linux what is mapped")
def test_a_mapped_file_is_read_and_its_pages_are_given_back(tmp_path):
    whole = np.random.default_rng(0).integers(0, 256, (4096, 4096), np.uint8)  # 16 MiB
    np.save(tmp_path / "x.npy", whole)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")

    def update(state, key, batch):
        return state + batch.astype(jnp.int32).sum(), {}

    half = np.asarray(mapped[1024:3072])  # a view of a view
    state, _ = stream_epoch(update, 128, steps_per_chunk=2)(jnp.int32(0), key(), half)
    assert int(state) == int(whole[1024:3072].sum())
    assert mapped_kib(tmp_path / "x.npy") < 1024
    np.testing.assert_array_equal(half[:3], whole[1024:1027])


def mapped_kib(path):
    """KiB of a file that are in the memory of this process; Linux says so."""
    smaps = Path("/proc/self/smaps").read_text()
    _, _, after = smaps.partition(str(path))
    (line,) = [line for line in after.split("\n")[:12] if line.startswith("Rss:")]
    return int(line.split()[1])


def test_misuse_is_named():
    with pytest.raises(ValueError, match="batch_size: got 0, expected an integer >= 1"):
        stream_epoch(UPDATE, 0)
    with pytest.raises(ValueError, match="steps_per_chunk: got 0, expected an integer >= 1"):
        stream_epoch(UPDATE, 1, steps_per_chunk=0)
    with pytest.raises(ValueError, match="batch_size: got 3, expected a multiple of 2, the dev"):
        stream_epoch(UPDATE, 3, mesh=data_mesh(2))
    with pytest.raises(ValueError, match=r"mesh: got the axes \('model',\)"):
        stream_epoch(UPDATE, 2, mesh=jax.make_mesh((2,), ("model",)))
    with pytest.raises(ValueError, match="batch_size: got 31, expected at most 30"):
        stream_epoch(UPDATE, 31)(start(), key(), data())
    with pytest.raises(ValueError, match=r"data: got shapes .* common leading axis"):
        stream_epoch(UPDATE, 1)(start(), key(), (np.zeros(3), np.zeros(4)))
    for wrong, message in {8: "at most 7, the steps of the epoch", -1: "an integer >= 0"}.items():
        with pytest.raises(ValueError, match=f"start: got {wrong}, expected {message}"):
            next(stream_chunks(UPDATE, BATCH)(start(), key(), data(), start=wrong))
