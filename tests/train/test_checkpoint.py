"""Checkpoints: exact, whole or absent after a kill, refused after a flipped bit."""

import gc
import os
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from jaxgen.train import (
    CheckpointError,
    Game,
    data_mesh,
    gradient_step,
    init_player,
    init_state,
    intact_steps,
    latest_step,
    read_note,
    replicate,
    restore,
    save,
    scan_epoch,
    shard,
)


def raw(leaf):
    is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(leaf) if is_key else leaf)


def assert_identical(tree, other):
    assert jax.tree.structure(tree) == jax.tree.structure(other)
    for a, b in zip(jax.tree.leaves(tree), jax.tree.leaves(other), strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert raw(a).tobytes() == raw(b).tobytes()


def assert_restores(directory, expected, tree, **kwargs):
    step, restored = restore(directory, small(0), **kwargs)
    assert step == expected
    assert_identical(restored, tree)


def small(step):
    return {"weights": jnp.arange(600.0).reshape(20, 30) + step, "step": jnp.int32(step)}


@pytest.fixture
def two_steps(tmp_path):
    """Checkpoints 1 and 2."""
    for step in (1, 2):
        save(tmp_path, step, small(step))
    return tmp_path


def loss(params, key, batch):
    noise = jax.random.normal(key, batch.shape)
    return jnp.mean((batch + 0.1 * noise - params["mean"]) ** 2), {}


@pytest.fixture(scope="module")
def training():
    optimizer = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adam(optax.constant_schedule(0.1))
    )
    update = gradient_step(loss, optimizer, ema_decay=0.9)
    data = jax.random.normal(jax.random.key(5), (64, 3))

    def start():
        return {
            "train": init_state({"mean": jnp.zeros(3)}, optimizer, ema=True),
            "keys": jax.random.split(jax.random.key(7), 2),
            "pool": jnp.zeros((0, 3)),
            "half": jnp.array([1.5, -jnp.inf, jnp.nan], jnp.bfloat16),
            "bits": jnp.array([[True, False]]),
            "rbg": jax.random.key(3, impl="rbg"),
        }

    return start, update, data


def test_a_round_trip_is_exact_and_donates(tmp_path, training):
    start, update, data = training
    tree = start()
    epoch = jax.jit(scan_epoch(update, 8), donate_argnums=0)
    tree["train"], _ = epoch(tree["train"], jax.random.key(0), data)
    save(tmp_path, 8, tree)
    for template in (start(), jax.eval_shape(start)):
        step, restored = restore(tmp_path, template)
        assert step == 8
        assert_identical(restored, tree)
    # The restored run goes on exactly as the one that was never interrupted.
    given = restored["train"]
    on, _ = epoch(tree["train"], jax.random.key(1), data)
    resumed, _ = epoch(given, jax.random.key(1), data)
    assert_identical(on, resumed)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(given))


def test_between_eight_devices_and_one(tmp_path, training):
    start, update, data = training
    mesh = data_mesh(8)
    split = NamedSharding(mesh, PartitionSpec("data"))
    state = start()["train"]
    tree = {"state": replicate(state, mesh), "pool": jax.device_put(data, split)}
    save(tmp_path, 1, tree)
    on_one = {"state": state, "pool": data}
    for template in (on_one, tree):
        _, restored = restore(tmp_path, template)
        assert_identical(restored, tree)
        for leaf, like in zip(jax.tree.leaves(restored), jax.tree.leaves(template), strict=True):
            assert leaf.sharding.is_equivalent_to(like.sharding, leaf.ndim)
    # What was on no device in particular still goes wherever the computation is.
    _, restored = restore(tmp_path, on_one)
    on_mesh = jax.jit(shard(update, mesh))
    moved, _ = on_mesh(restored["state"], jax.random.key(0), restored["pool"])
    assert len(moved.params["mean"].sharding.device_set) == 8


def test_only_the_last_are_kept(tmp_path):
    assert latest_step(tmp_path / "none") is None
    for step in (1, 2, 3, 10):
        save(tmp_path / "new" / "run", step, small(step), keep=3)
    run = tmp_path / "new" / "run"
    assert latest_step(run) == 10
    assert len(list(run.iterdir())) == 6
    for step in (2, 3, 10):
        assert_restores(run, step, small(step), step=step)
    # Saving step 3 again replaces it and leaves behind what came after.
    save(run, 3, small(30), keep=3)
    assert_restores(run, 3, small(30))
    assert len(list(run.iterdir())) == 4
    with pytest.raises(CheckpointError, match="step: got 10, expected one of 2, 3"):
        restore(run, small(0), step=10)
    with pytest.raises(ValueError, match="step: got True, expected an integer"):
        restore(run, small(0), step=True)


CHILD = """
import sys, jax.numpy as jnp
from jaxgen.train import save
print("ready", flush=True)
for step in range(3, 1000):
    save(sys.argv[1], step, {"weights": jnp.arange(600.0).reshape(20, 30) + step,
                             "step": jnp.int32(step)})
    print(step, flush=True)
"""


def test_kill_9(two_steps):
    """Killed at several moments, mostly within a save: the last complete one is there, intact."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JAX_", "XLA_", "SLURM_"))
    }
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    children = []
    for i in range(4):
        directory = two_steps.parent / f"killed{i}"
        shutil.copytree(two_steps, directory)
        command = [sys.executable, "-c", CHILD, str(directory)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        children.append((directory, child))
    try:
        for i, (_, child) in enumerate(children):
            assert child.stdout.readline() == "ready\n"
            time.sleep(0.11 * i)
            child.send_signal(signal.SIGKILL)
        for directory, child in children:
            printed = child.communicate(timeout=60)[0].split()
            assert child.returncode == -signal.SIGKILL
            step = latest_step(directory)
            last = int(printed[-1]) if printed else 2
            assert step in (last, last + 1), "a save that had returned was lost"
            assert_restores(directory, step, small(step))
            save(directory, step + 1, small(step + 1))
            assert len(list(directory.iterdir())) <= 5, "what the kill left was not removed"
    finally:
        for _, child in children:
            child.kill()
            child.stdout.close()
            child.wait()


@pytest.mark.parametrize("keep", [1, 2])
@pytest.mark.parametrize("step", [2, 3])
@pytest.mark.parametrize("moment", ["arrays", "rename", "unlink", "rmtree"])
def test_stopped_at_each_point(two_steps, monkeypatch, moment, step, keep):
    """Nothing in a save cleans up behind it, so that an exception stops it as a kill does."""

    class Killed(BaseException):
        pass

    def kill(*args, **kwargs):
        raise Killed

    owner, name = {
        "arrays": (np, "savez"),
        "rename": (os, "replace"),
        "unlink": (Path, "unlink"),
        "rmtree": (shutil, "rmtree"),
    }[moment]
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, kill)
        try:
            save(two_steps, step, small(30), keep=keep)
        except Killed:
            pass
        else:
            assert moment in ("unlink", "rmtree"), "the save was not stopped"
    committed = moment in ("unlink", "rmtree")
    expected = (step, small(30)) if committed else (2, small(2))
    assert_restores(two_steps, *expected)
    save(two_steps, 4, small(4), keep=1)
    assert len(list(two_steps.iterdir())) == 2
    assert_restores(two_steps, 4, small(4))


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux which file a descriptor is of")
def test_all_is_on_the_disk_before_the_commit(tmp_path, monkeypatch):
    seen, fsync, replace = [], os.fsync, os.replace

    def log_fsync(descriptor):
        seen.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    def log_replace(source, target):
        seen.append(f"commit {target}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", log_fsync)
    monkeypatch.setattr(os, "replace", log_replace)
    save(tmp_path, 1, small(1))
    commit = seen.index(f"commit {tmp_path / '1.manifest'}")
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert {str(path) for path in (folder, folder / "manifest", *folder.rglob("*"))} <= set(
        seen[:commit]
    )
    assert str(tmp_path) in seen[commit:]


@pytest.mark.parametrize("tree", [{}, {"none": jnp.zeros((0, 3))}], ids=["empty", "size zero"])
def test_a_tree_without_an_element_is_kept_too(tmp_path, tree):
    save(tmp_path, 0, tree)
    step, restored = restore(tmp_path, tree)
    assert step == 0
    assert_identical(restored, tree)


def flip(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << (position % 8)
    path.write_bytes(bytes(content))


def test_every_file_is_guarded(two_steps):
    (folder,) = (path for path in two_steps.glob("2.*") if path.is_dir())
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert [path.name for path in files] == ["arrays.npz"]
    for path in [*files, two_steps / "2.manifest"]:
        before = path.read_bytes()
        size = len(before)
        for position in sorted({0, size // 3, size - 1}) if size else []:
            flip(path, position)
            with pytest.raises(CheckpointError, match=path.name) as error:
                restore(two_steps, small(0))
            assert "intact: step 1" in str(error.value)
            path.write_bytes(before)
        path.write_bytes(before + b"\n")
        with pytest.raises(CheckpointError, match=path.name):
            restore(two_steps, small(0))
        path.write_bytes(before)
        if path in files:
            path.unlink()
            with pytest.raises(CheckpointError, match=f"{path.name}: missing"):
                restore(two_steps, small(0))
            path.write_bytes(before)
    assert_restores(two_steps, 2, small(2))
    (folder / "guest").write_text("")
    with pytest.raises(CheckpointError, match="guest: not in the manifest"):
        restore(two_steps, small(0))
    (folder / "guest").unlink()
    (folder / "link").symlink_to(two_steps)
    with pytest.raises(CheckpointError, match="link: got a symbolic link"):
        restore(two_steps, small(0))


def test_when_no_step_is_intact(two_steps):
    for step in (1, 2):
        flip(two_steps / f"{step}.manifest", 200)
    with pytest.raises(CheckpointError, match="step 2 is refused, no other step is intact"):
        restore(two_steps, small(0))


def test_a_note_is_kept_under_the_manifest(two_steps):
    note = {"best": -0.1 - 1e-17, "records": None, "config": {"hidden": [3, 4]}}
    save(two_steps, 3, small(3), note=note)
    assert read_note(two_steps) == note
    assert read_note(two_steps, 2) == {}
    assert_restores(two_steps, 3, small(3))
    manifest = two_steps / "3.manifest"
    manifest.write_bytes(manifest.read_bytes().replace(b"best", b"rest"))
    for read in (read_note, lambda directory: restore(directory, small(0))):
        with pytest.raises(CheckpointError, match=r"3.manifest: damaged"):
            read(two_steps)
    for wrong in ({"best": float("nan")}, {"best": jnp.zeros(())}):
        with pytest.raises(ValueError, match=r"note: got .*, expected values of JSON"):
            save(two_steps, 4, small(4), note=wrong)
    assert latest_step(two_steps) == 3


def as_folder(manifest):
    manifest.unlink()
    manifest.mkdir()


def as_dangling_link(manifest):
    manifest.unlink()
    manifest.symlink_to("nowhere")


@pytest.mark.parametrize("put", [as_folder, as_dangling_link])
def test_a_manifest_that_is_no_file_is_refused_and_gone_with_its_turn(two_steps, put):
    put(two_steps / "2.manifest")
    with pytest.raises(CheckpointError, match=r"2.manifest: cannot be read .*, intact: step 1"):
        restore(two_steps, small(0))
    assert intact_steps(two_steps) == [1]
    assert_restores(two_steps, 1, small(1), step=1)
    for step in (3, 4):
        save(two_steps, step, small(step))
    assert len(list(two_steps.iterdir())) == 4


def test_a_manifest_of_another_name_is_none(two_steps):
    for name in ("03", "+3", "\N{FULLWIDTH DIGIT THREE}", "3 "):
        shutil.copy(two_steps / "2.manifest", two_steps / f"{name}.manifest")
    assert_restores(two_steps, 2, small(2))
    assert intact_steps(two_steps) == [1, 2]


def test_a_folder_that_was_moved_and_linked_is_read_and_only_the_link_removed(two_steps, tmp_path):
    (folder,) = (path for path in two_steps.glob("1.*") if path.is_dir())
    elsewhere = tmp_path.parent / f"{tmp_path.name}-disk"
    elsewhere.mkdir()
    shutil.move(folder, elsewhere / "moved")
    folder.symlink_to(elsewhere / "moved")
    assert_restores(two_steps, 1, small(1), step=1)
    save(two_steps, 3, small(3))
    assert not folder.is_symlink()
    assert (elsewhere / "moved" / "arrays.npz").exists()


@pytest.mark.parametrize("name", ["lr[0.1]", "a\\b", "gs:", "*", "a b?", "%20", "~", "é\n"])
def test_any_name_of_a_directory_will_do(tmp_path, name):
    save(tmp_path / name / "run", 1, small(1))
    assert_restores(tmp_path / name / "run", 1, small(1))


def test_64_bits_are_not_cast_to_32(tmp_path, x64):
    save(tmp_path, 1, {"i": jnp.array([2**40 + 1])})
    template = {"i": jax.ShapeDtypeStruct((1,), np.int64)}
    assert restore(tmp_path, template)[1]["i"] == 2**40 + 1
    with jax.enable_x64(False), pytest.raises(CheckpointError, match="nothing is cast"):
        restore(tmp_path, template)


def test_a_save_leaves_no_memory_behind(tmp_path):
    """An earlier way kept 24 kB of each, which would show here as 1.2 MB."""
    tree = small(0)
    for step in range(10):
        save(tmp_path, step, tree)
    tracemalloc.start()
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    for step in range(10, 60):
        save(tmp_path, step, tree)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 50_000


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            {"weights": jnp.zeros((20, 31)), "step": jnp.int32(0)},
            r"\['weights'\]: got float32\[20,30\], expected float32\[20,31\]",
        ),
        (
            {"weights": jnp.zeros((20, 30), jnp.bfloat16), "step": jnp.int32(0)},
            r"\['weights'\]: got float32\[20,30\], expected bfloat16\[20,30\]",
        ),
        (
            {"weights": jnp.zeros((20, 30)), "steps": jnp.int32(0)},
            r"\['steps'\]: got nothing, expected int32\[\]; \['step'\]: got int32\[\]",
        ),
        (
            [jnp.zeros((20, 30)), jnp.int32(0)],
            r"\[0\]: got nothing, expected float32\[20,30\]",
        ),
        ({f"w{i}": jnp.zeros(3) for i in range(6)}, "and 3 more"),
    ],
)
def test_another_tree_is_refused(two_steps, template, message):
    with pytest.raises(
        CheckpointError, match=f"template: the checkpoint is of another tree.*{message}"
    ):
        restore(two_steps, template)


def player(start):
    variables = {
        "params": {"w": jnp.arange(6.0) + start, "none": jnp.zeros((0, 2))},
        "stats": {"mean": jnp.full(3, start)},
    }
    return init_player(variables, optax.adam(1e-3), ema=True)


def test_one_player_alone_is_restored_as_with_the_whole_game(tmp_path):
    # `critics` begins as `critic` does: it is no part of it.
    tree = {
        "state": Game(player(1.0), player(2.0)),
        "critics": jnp.zeros(4),
        "key": jax.random.key(3),
    }
    save(tmp_path, 7, tree)
    _, whole = restore(tmp_path, tree)
    template = jax.eval_shape(player, 0.0)
    for name in ("critic", "generator"):
        step, alone = restore(tmp_path, template, part=f"['state'].{name}")
        assert step == 7
        assert_identical(alone, getattr(whole["state"], name))
    # Of a part of a part, a single leaf, and a key.
    stats = restore(tmp_path, template.mutable, part="['state'].critic.mutable")[1]
    assert_identical(stats, tree["state"].critic.mutable)
    mean = restore(tmp_path, jnp.zeros(3), part="['state'].critic.mutable['stats']['mean']")[1]
    assert_identical(mean, jnp.full(3, 2.0))
    assert_identical(restore(tmp_path, jax.random.key(0), part="['key']")[1], tree["key"])
    assert_identical(restore(tmp_path, jnp.zeros(4), part="['critics']")[1], jnp.zeros(4))


def test_a_part_that_does_not_fit_or_is_damaged_is_refused(tmp_path):
    save(tmp_path, 1, {"state": Game(player(1.0), player(2.0))})
    wider = {"w": jnp.zeros(7), "none": jnp.zeros((0, 2))}
    for template, message in (
        (wider, r"\['state'\].critic.train.params\['w'\]: got float32\[6\], expected float32\[7\]"),
        ({"w": jnp.zeros(6)}, r"params\['none'\]: got float32\[0,2\], expected nothing"),
    ):
        with pytest.raises(CheckpointError, match=f"template: .*{message}"):
            restore(tmp_path, template, part="['state'].critic.train.params")
    for part in ("['state'].crit", "critic", "['state'].critic.train.params['w'].x"):
        with pytest.raises(
            CheckpointError,
            match=r"part: got .*, such as \['state'\], \['state'\]\.critic",
        ):
            restore(tmp_path, jnp.zeros(6), part=part)
    (folder,) = (path for path in tmp_path.glob("1.*") if path.is_dir())
    largest = max((f for f in folder.rglob("*") if f.is_file()), key=lambda f: f.stat().st_size)
    flip(largest, 10)
    with pytest.raises(CheckpointError, match=f"{largest.name}: damaged"):
        restore(tmp_path, jnp.zeros(3), part="['state'].critic.mutable['stats']['mean']")


def test_misuse_is_named(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    for call in (lambda: save(file, 1, small(1)), lambda: latest_step(file)):
        with pytest.raises(ValueError, match=r"directory: got .*file, which is a file"):
            call()
    with pytest.raises(ValueError, match="step: got -1, expected an integer >= 0"):
        save(tmp_path, -1, small(1))
    with pytest.raises(ValueError, match="keep: got 0, expected an integer >= 1"):
        save(tmp_path, 1, small(1), keep=0)
    for leaf in (3, np.zeros(2), "text"):
        with pytest.raises(ValueError, match=r"tree: got \w+ at \['a'\], expected a jax.Array"):
            save(tmp_path, 1, {"a": leaf})
    with pytest.raises(
        ValueError, match=r"directory: got .*, expected one that holds a checkpoint"
    ):
        restore(tmp_path, small(0))
    with pytest.raises(ValueError, match="step: got True, expected an integer"):
        save(tmp_path, True, small(1))
    assert list(tmp_path.iterdir()) == [file], "a refused save wrote something"
