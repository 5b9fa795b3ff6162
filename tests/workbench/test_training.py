"""One training by `train`: what is compiled, kept, returned and said of it; sweeps of several."""

import dataclasses
import json
import traceback
from typing import ClassVar

import chex
import distrax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.models import gaussian_vae, observe
from jaxgen.nets import MLP
from jaxgen.objectives import elbo
from jaxgen.train import CheckpointError, gradient_step, init_state, mean_over_batch, restore
from jaxgen.workbench import (
    Draws,
    Positive,
    TrainingConfig,
    TrainingFailed,
    begin,
    epoch_loop,
    sweep,
    train,
)

DATA = np.linspace(-1, 1, 16, dtype=np.float32)
OPTIMIZER = optax.sgd(0.1)
TRACED = []


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TrainingConfig):
    """A training of the tests."""

    epochs: int = 4
    batch_size: int = 4
    schedule: ClassVar[str] = "constant"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clipped(Config):
    """One that has the flag."""

    clip_norm: Positive | None = None


def one(params, key, x, pull=1.0):
    TRACED.append(1)
    error = (params["w"] - pull * x - 0.1 * jax.random.normal(key)) ** 2
    return error, {"elbo": -error}


UPDATE = gradient_step(mean_over_batch(one), OPTIMIZER)


def pulled(pull):
    def weighted(params, key, x):
        return one(params, key, x, pull)

    return gradient_step(mean_over_batch(weighted), OPTIMIZER)


@jax.jit
def judge(params, key, held_out):
    noise = 1e-3 * jax.random.normal(key)
    return {"elbo": -(params["w"] ** 2) + noise, "distance": jnp.abs(params["w"]), **held_out}


def train_in(path, update=UPDATE, data=DATA, config=Config, run=None, **options):
    out = run or begin(config(run_dir=str(path), resume=(path / "config.json").exists()))
    state = init_state({"w": jnp.array(3.0)}, OPTIMIZER)
    keys = {"key": jax.random.key(0), "judge_key": jax.random.key(1)}
    options = {"held_out": {}, **keys, **options}
    return train(out, state, update, data, judge, **options)


def records(path):
    lines = (path / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(x).items() if k != "seconds"} for x in lines]


def test_arrays_are_passed_through_and_draws_drawn(tmp_path):
    params, frames = train_in(tmp_path / "a")
    assert frames is None
    assert abs(params["w"]) < 1
    drawn = Draws(lambda key: jax.random.normal(key, (4,)), 6)
    assert abs(train_in(tmp_path / "b", data=drawn).params["w"]) < 1
    _, stored = restore(tmp_path / "a" / "trained", params)
    np.testing.assert_array_equal(stored["w"], params["w"])


def test_many_devices_give_the_numbers_of_one(tmp_path):
    one_device = train_in(tmp_path / "one").params
    four = begin(Config(run_dir=str(tmp_path / "four"), devices=4))
    np.testing.assert_allclose(
        train_in(tmp_path / "four", run=four).params["w"], one_device["w"], atol=1e-5
    )


def test_the_judge_sees_the_same_draws_and_data_every_epoch(tmp_path):
    seen = []

    def keep(params, key, held_out):
        seen.append((jax.random.key_data(key), held_out["x"]))
        return {"elbo": 0.0}

    out = begin(Config(run_dir=str(tmp_path / "run")))
    state = init_state({"w": jnp.array(3.0)}, OPTIMIZER)
    keys = {"key": jax.random.key(0), "judge_key": jax.random.key(1)}
    train(out, state, UPDATE, DATA, keep, held_out={"x": DATA}, **keys)
    assert len(seen) == 4
    for key, x in seen:
        np.testing.assert_array_equal(key, seen[0][0])
        np.testing.assert_array_equal(x, DATA)


def test_weights_change_with_the_epoch_and_compile_nothing(tmp_path):
    TRACED.clear()
    late = train_in(tmp_path / "a", update=pulled, weights=lambda epoch: float(epoch == 3))
    never = train_in(tmp_path / "b", update=pulled, weights=lambda epoch: 0.0)
    assert len(TRACED) == 1
    assert late.params["w"] != never.params["w"]
    assert records(tmp_path / "a")[:3] == records(tmp_path / "b")[:3]


def test_the_weight_of_an_epoch_is_the_constant_to_the_bit(tmp_path):
    fixed = train_in(tmp_path / "a", update=pulled(0.3))
    weighted = train_in(tmp_path / "b", update=pulled, weights=lambda epoch: 0.3)
    chex.assert_trees_all_equal(fixed.params, weighted.params)


def look(params):
    return {"w": params["w"], "twice": jnp.stack([params["w"]] * 2)}


def test_frames_are_kept_of_every_epoch_and_over_a_resume(tmp_path, monkeypatch):
    monkeypatch.setattr(epoch_loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    whole = train_in(tmp_path / "a", look=look)
    assert whole.frames["twice"].shape == (5, 2)
    assert whole.frames["w"][0] == 3.0
    assert whole.frames["w"][4] == whole.params["w"]

    def dying(record, *rest, keep=epoch_loop._stop_unless_finite):
        if rest[2] == 2:
            raise KeyboardInterrupt
        return keep(record, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(epoch_loop, "_stop_unless_finite", dying)
        with pytest.raises(KeyboardInterrupt):
            train_in(tmp_path / "b", look=look)
    first = tmp_path / "b" / "frames" / "000001.npz"
    kept = first.read_bytes()
    first.unlink()
    with pytest.raises(CheckpointError, match=r"frames/000001\.npz: missing"):
        train_in(tmp_path / "b", look=look)
    first.write_bytes(kept)
    resumed = train_in(tmp_path / "b", look=look)
    chex.assert_trees_all_equal(resumed.frames, whole.frames)


def test_patience_goes_by_a_number_that_is_better_lower_and_returns_its_best(tmp_path):
    values = iter([3.0, 1.0, 2.0, 2.0])

    def scripted(params, key, held_out):
        return {"distance": np.float32(next(values))}

    out = begin(Config(run_dir=str(tmp_path / "run"), epochs=9))
    state = init_state({"w": jnp.array(3.0)}, OPTIMIZER)
    options = {"monitor": "distance", "better": "lower", "patience": 2, "look": look}
    keys = {"key": jax.random.key(0), "judge_key": jax.random.key(1)}
    params, frames = train(out, state, UPDATE, DATA, scripted, **keys, **options)
    assert len(records(tmp_path / "run")) == 4
    assert len(frames["w"]) == 3  # before, and the epochs until the best
    assert frames["w"][2] == params["w"]


@pytest.mark.parametrize(("config", "clip"), [(Config, False), (Clipped, True)])
def test_a_failed_training_advises_only_flags_that_there_are(config, clip, tmp_path):
    def diverge(params, key, x):
        return jnp.exp(1e4 * params["w"]), {"elbo": params["w"]}

    update = gradient_step(mean_over_batch(diverge), OPTIMIZER)
    with pytest.raises(TrainingFailed, match="at step 1 of epoch 1") as failure:
        train_in(tmp_path / "run", update=update, config=config)
    assert "--learning-rate" in str(failure.value)
    assert ("--clip-norm" in str(failure.value)) == clip


def test_a_batch_too_large_is_refused_before_anything_is_written(tmp_path):
    out = begin(Config(run_dir=str(tmp_path / "run"), batch_size=32))
    with pytest.raises(ValueError, match="batch_size: got 32, expected at most 16"):
        train_in(tmp_path / "run", run=out)
    assert not (tmp_path / "run").exists()


def test_a_finished_run_is_prolonged_to_the_bit(tmp_path):
    whole = train_in(tmp_path / "a", look=look)
    train_in(tmp_path / "b", run=begin(Config(run_dir=str(tmp_path / "b"), epochs=2)), look=look)
    longer = begin(Config(run_dir=str(tmp_path / "b"), epochs=4, resume=True))
    prolonged = train_in(tmp_path / "b", run=longer, look=look)
    chex.assert_trees_all_equal(prolonged, whole)
    assert records(tmp_path / "b") == records(tmp_path / "a")
    assert json.loads((tmp_path / "b" / "config.json").read_text())["epochs"] == 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Falling(Config):
    """One whose rate falls."""

    schedule: ClassVar[str] = "cosine"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Silent(TrainingConfig):
    """One that says nothing of its rate."""


@pytest.mark.parametrize(
    ("config", "epochs", "reason"),
    [
        (Falling, 9, "a cosine that ends with the last epoch"),
        (Silent, 9, "does not say that its learning rate is constant"),
        (Config, 2, "epochs was 3, now 2"),
    ],
)
def test_what_cannot_be_prolonged_says_why(config, epochs, reason, tmp_path):
    path = str(tmp_path / "run")
    begin(config(run_dir=path, epochs=3)).directory.record({"epoch": 1})
    with pytest.raises(ValueError, match=f"resume: .*{reason}"):
        begin(config(run_dir=path, epochs=epochs, resume=True))


def test_a_sweep_names_what_failed_and_the_others_go_on(tmp_path, capsys):
    out = begin(Config(run_dir=str(tmp_path / "run")))

    def one_of_them(part, pull):
        return train_in(None, update=pulled, weights=lambda _: pull, run=part).params

    swept = sweep(out, {"near": 0.5, "gone": 1e30, "far": 2.0}, one_of_them)
    assert list(swept.results) == ["near", "far"]
    assert swept["near"] is swept.results["near"]
    assert swept.failed["gone"].startswith("gone: not finite: ")
    with pytest.raises(TrainingFailed, match="gone: not finite"):
        swept["gone"]
    assert [len(of) for of in swept.records.values()] == [4, 0, 4]
    assert swept.seconds["gone"] == 0
    last = swept.records["near"][-1]
    assert swept.last("near") == {
        **{name: last[f"validation_{name}"] for name in ("elbo", "distance")},
        "seconds": last["seconds"],
    }
    assert len(swept.curves("validation_elbo")) == 8
    assert swept.curves("validation_elbo")[0].keys() == {"epoch", "near"}
    assert "near: epoch 4/4" in capsys.readouterr().err
    seconds = out.seconds
    assert seconds["training_seconds"] == pytest.approx(sum(swept.seconds.values()))
    assert seconds["seconds"] > seconds["training_seconds"]


def test_the_trainings_of_a_sweep_may_begin_with_one_state(tmp_path):
    state = init_state({"w": jnp.array(3.0)}, OPTIMIZER)

    def again(part, _):
        key = jax.random.key(0)
        return train(part, state, UPDATE, DATA, judge, key=key, held_out={}).params["w"]

    swept = sweep(begin(Config(run_dir=str(tmp_path / "run"))), {"a": 0, "b": 0}, again)
    assert swept["a"] == swept["b"] != 3
    assert state.params["w"] == 3


def test_a_sweep_in_which_all_failed_has_failed(tmp_path):
    def fail(part, name):
        raise TrainingFailed(f"{name}: not finite")

    with pytest.raises(TrainingFailed, match="a: not finite; b: not finite"):
        sweep(begin(Config(run_dir=str(tmp_path / "run"))), {"a": "a", "b": "b"}, fail)


MOST_FRAMES = 12


def test_few_frames_lie_between_a_recipe_and_the_log_likelihood(tmp_path):
    stacks = []

    class Pixels(distrax.Bernoulli):
        def log_prob(self, value):
            stacks.append(traceback.extract_stack())
            return super().log_prob(value)

    model = gaussian_vae(
        MLP((4,), (2, 2)),
        MLP((4,), (3,)),
        lambda logits: distrax.Independent(Pixels(logits), 1),
        latent_size=2,
        x_shape=(3,),
    )

    def terms(params, key, x):
        at = observe(model, params, x)
        found = elbo(key, at.log_likelihood, at.q, at.prior)
        return -found.elbo, {"elbo": found.elbo}

    @jax.jit
    def judge(params, key, held_out):
        return {"elbo": 0.0}

    out = begin(Config(run_dir=str(tmp_path / "run"), epochs=1))
    state = init_state(model.init(jax.random.key(0)), OPTIMIZER)
    stacks.clear()
    update = gradient_step(mean_over_batch(terms), OPTIMIZER)
    keys = {"key": jax.random.key(0), "judge_key": jax.random.key(1)}
    train(out, state, update, np.ones((8, 3), np.float32), judge, **keys)
    names = [(frame.filename, frame.name) for frame in stacks[0]]
    caller = names.index((__file__, "test_few_frames_lie_between_a_recipe_and_the_log_likelihood"))
    (last,) = (i for i, (_, name) in enumerate(names) if name == "log_likelihood")
    own = [
        name
        for file, name in names[caller + 1 : last + 1]
        if file == __file__ or "/jaxgen/" in file
    ]
    assert len(own) <= MOST_FRAMES, own
