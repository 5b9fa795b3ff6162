"""Filtering bounds on sequences: IWAE, FIVO, AESMC and variational SMC, trained and compared.

Sequences of different length drawn from a linear-Gaussian model, whose log likelihood is also known
exactly, or from a stochastic-volatility model, both learned from scratch; or the rows of binary
images, under a variational recurrent network. The model and its proposal climb one bound; then all
four bounds of the trained model are measured against the number of particles.
(Maddison et al. 2017; Le et al. 2018; Naesseth et al. 2018; Chung et al. 2015.)

  python -m experiments filtering
  python -m experiments filtering --dataset stochastic_volatility
  python -m experiments filtering --dataset digits --epochs 30 --learning-rate 3e-3

Expect of the first, in nats per test sequence: IWAE -108.3 and FIVO -104.6 with 16 particles,
-105.2 and -103.3 with 256; exactly -103.2, and -103.1 under the params that drew the sequences.
Of the third, per image of 8 rows: IWAE -17.5 and FIVO -17.1 with 16 particles, -16.9 and -16.8
with 256. On two cores the first takes 40 seconds, most to compile, the third about two minutes.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import distrax
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from jaxgen.checks import at_least, one_of
from jaxgen.data import load
from jaxgen.distributions import Bernoulli
from jaxgen.inference import multinomial, smc
from jaxgen.models import (
    SequentialModel,
    kalman_filter,
    linear_gaussian,
    sample_sequence,
    stochastic_volatility,
    variational_rnn,
)
from jaxgen.nets import MLP
from jaxgen.objectives import (
    FILTERING_OBJECTIVES,
    FilteringObjective,
    filtering_bound,
    ignore_resampling,
    importance_step,
    score_resampling,
)
from jaxgen.pictures import against_count, band_in_time, image_grid, learning_curve
from jaxgen.train import data_mesh, gradient_step, init_state, replicate, scan_epoch, shard
from jaxgen.types import Info, Key, Loss, Params
from jaxgen.workbench import (
    ImageConfig,
    RunDirectory,
    fit,
    main,
    new_path,
    open_run,
    print_table,
    progress,
    require_devices,
)

GRADIENTS = {"ignored": ignore_resampling, "score": score_resampling}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(ImageConfig):
    """One model of sequences and the bound that it climbs."""

    dataset: str = "linear_gaussian"
    """linear_gaussian or stochastic_volatility (drawn anew from a fixed model), or a set of images
    (digits, or a TFDS name), read row by row with a cut at one half."""
    epochs: int = 100
    batch_size: int = 32
    learning_rate: float = 1e-2
    objective: Literal["iwae", "fivo", "aesmc", "vsmc"] = "fivo"
    """The bound to climb."""
    resampling_gradient: Literal["ignored", "score"] = "ignored"
    """Of the choice of ancestors: left out, or by the score function (fivo only)."""
    particles: int = 16
    """In training and validation."""
    evaluate_particles: tuple[int, ...] = (4, 16, 64, 256)
    """Numbers of particles at which every bound is measured in the end."""
    sequences: int = 256
    """Training sequences drawn from a model; a quarter as many to validate and to test."""
    time: int = 50
    """Length of the longest sequences drawn from a model; the shortest are half as long."""

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("objective", self.objective, FILTERING_OBJECTIVES)
        one_of("resampling_gradient", self.resampling_gradient, GRADIENTS)
        at_least("particles", self.particles, 1)
        at_least("sequences", self.sequences, 4)
        at_least("time", self.time, 2)
        if not self.evaluate_particles:
            raise ValueError("evaluate_particles: got none, expected one number or more")
        for count in self.evaluate_particles:
            at_least("evaluate_particles", count, 1)
        scheme = FILTERING_OBJECTIVES[self.objective].resampling
        if self.resampling_gradient == "score" and scheme.log_prob is None:
            raise ValueError(
                f"resampling_gradient: got 'score' with objective={self.objective}, whose scheme "
                "has no score of finite variance; expected --objective fivo"
            )


class Sequences(NamedTuple):
    """Observations, which steps of them exist, and (NaN if unknown) the signal behind them."""

    xs: Array  # [sequences, time, x]
    mask: Array  # [sequences, time]
    signals: Array  # [sequences, time]


class Task(NamedTuple):
    """What is modelled, by what, and how it is looked at.

    Attributes:
      sequences: by split.
      model: to be learned.
      truth: the params that drew the sequences; None for images.
      exact: `(params, xs, mask) -> log p(xs)` of one sequence, or None if only bounds are known.
      signal: `(params, state, z) -> ` one number with its name, to be drawn; None for images.
      row_shape: of one step, for images.
    """

    sequences: dict[str, Sequences]
    model: SequentialModel
    truth: Params = None
    exact: Callable[[Params, Array, Array], Array] | None = None
    signal: tuple[str, Callable[[Params, Any, Array], Array]] | None = None
    row_shape: tuple[int, ...] = ()


def run(config: Config) -> dict[str, Any]:
    """Trains the model of `config`; returns what result.json holds."""
    require_devices(config.devices)
    key_data, key_init, key_fit, key_validation, key_test, key_pictures = jax.random.split(
        jax.random.key(config.seed), 6
    )
    task = make_task(config, key_data)
    train, validation = task.sequences["train"], task.sequences["validation"]
    if config.batch_size > len(train.xs):
        raise ValueError(
            f"batch_size: got {config.batch_size}, expected at most {len(train.xs)}, the training "
            f"sequences of {config.dataset}"
        )
    out = open_run(config.run_dir or new_path("filtering"), config, resume=config.resume)

    objective = FILTERING_OBJECTIVES[config.objective]
    objective = objective._replace(gradient=GRADIENTS[config.resampling_gradient])
    loss = make_loss(task.model, objective, config.particles)
    mesh = data_mesh(config.devices)
    optimizer = optax.adam(config.learning_rate)
    state = init_state(jax.jit(task.model.init)(key_init), optimizer)
    update = shard(gradient_step(loss, optimizer), mesh)
    compiled = jax.jit(scan_epoch(update, config.batch_size), donate_argnums=0)
    train, validation = replicate((train, validation), mesh)

    @jax.jit
    def validate(params: Params, key: Key, sequences: Sequences) -> Info:
        return loss(params, key, sequences)[1]

    params = fit(
        out,
        replicate(state, mesh),
        lambda state, key, index: compiled(state, key, train),
        lambda params: validate(params, jax.random.clone(key_validation), validation),
        key=key_fit,
        epochs=config.epochs,
        monitor="bound",
    )
    trained = time.monotonic()

    params = jax.device_put(params, mesh.devices.flat[0])
    result = evaluate(config, task, params, key_test)
    pictures = draw(out, config, task, params, key_pictures, result)
    training_seconds = out.metrics()[-1]["seconds"]  # before and after every --resume
    seconds = training_seconds + time.monotonic() - trained
    result |= {"training_seconds": training_seconds, "seconds": seconds}
    out.write_result(result)
    report(config, result, out, pictures)
    return result


def make_task(config: Config, key: Key) -> Task:
    """Returns the sequences of `config.dataset` and an untrained model of them."""
    if config.dataset == "linear_gaussian":
        model = linear_gaussian(latent_size=2, x_size=3)
        turn = 0.3
        rotation = jnp.array(
            [[jnp.cos(turn), -jnp.sin(turn)], [jnp.sin(turn), jnp.cos(turn)]], float
        )
        truth = model.init(jax.random.key(0)) | {
            "transition": 0.95 * rotation,
            "transition_log_scale": jnp.log(jnp.array([0.3, 0.3])),
            "emission": jnp.array([[1.0, 0.0], [0.5, -0.8], [0.0, 0.6]]),
            "emission_log_scale": jnp.log(jnp.array([0.5, 0.5, 0.5])),
        }
        signal = "E[x_1 | z]", lambda p, state, z: model.decode(p, state, z).mean()[0]
        sequences = draw_sequences(config, key, model, truth, signal[1])
        return Task(sequences, model, truth, kalman, signal)
    if config.dataset == "stochastic_volatility":
        model = stochastic_volatility(1)
        truth = model.init(jax.random.key(0)) | {
            "mean": jnp.array([-1.0]),
            "raw_persistence": jnp.arctanh(jnp.array([0.95])),
            "log_scale": jnp.log(jnp.array([0.3])),
        }
        signal = (
            "volatility",
            lambda p, state, z: model.decode(p, state, z).stddev()[0],
        )
        sequences = draw_sequences(config, key, model, truth, signal[1])
        return Task(sequences, model, truth, None, signal)

    try:
        images = {
            split: load(config.dataset, split, data_dir=config.data_dir).images
            for split in ("train", "validation", "test")
        }
    except ValueError as error:  # the loader's argument is this recipe's flag
        raise ValueError(re.sub("^name:", "dataset:", str(error))) from None
    height, *row_shape = images["train"].shape[1:]
    x_size = int(np.prod(row_shape))
    model = variational_rnn(
        nn.GRUCell(64),
        MLP((64,), (2, 8)),
        MLP((64,), (2, 8)),
        MLP((64,), (x_size,)),
        lambda logits: distrax.Independent(Bernoulli(logits), 1),
        latent_size=8,
        x_size=x_size,
    )

    def rows(pixels: np.ndarray) -> Sequences:
        xs = jnp.asarray(pixels.reshape(len(pixels), height, x_size) >= 128, float)
        shape = xs.shape[:2]
        return Sequences(xs, jnp.ones(shape, bool), jnp.full(shape, jnp.nan))

    sequences = {split: rows(pixels) for split, pixels in images.items()}
    return Task(sequences, model, row_shape=tuple(row_shape))


def draw_sequences(
    config: Config,
    key: Key,
    model: SequentialModel,
    truth: Params,
    signal: Callable[[Params, Any, Array], Array],
) -> dict[str, Sequences]:
    """Returns sequences of different length drawn from the model with the params `truth`."""

    def one(key: Key) -> Sequences:
        key_sequence, key_length = jax.random.split(key)
        xs, zs = sample_sequence(key_sequence, model, truth, config.time)
        length = jax.random.randint(key_length, (), config.time // 2, config.time + 1)
        mask = jnp.arange(config.time) < length
        signals = jax.vmap(lambda z: signal(truth, model.start(truth), z))(zs)
        return Sequences(jnp.where(mask[:, None], xs, 0.0), mask, signals)

    part = config.sequences // 4
    drawn = jax.jit(jax.vmap(one))(jax.random.split(key, config.sequences + 2 * part))

    def rows(start: int, stop: int | None) -> Sequences:
        return jax.tree.map(lambda leaf: leaf[start:stop], drawn)

    return {
        "train": rows(2 * part, None),
        "validation": rows(0, part),
        "test": rows(part, 2 * part),
    }


def kalman(params: Params, xs: Array, mask: Array) -> Array:
    """Returns the exact log p(xs) of one sequence under `linear_gaussian`, in nats."""
    return kalman_filter(params, xs, mask=mask).log_likelihood


def step_of(model: SequentialModel, params: Params) -> Any:
    """Returns the particles' step under the model with these params."""
    parts = (model.prior, model.encode, model.decode, model.update)
    return importance_step(*(partial(part, params) for part in parts))


def make_loss(model: SequentialModel, objective: FilteringObjective, particles: int) -> Loss:
    """Returns minus the bound, in nats, averaged over the sequences of a batch."""

    def loss(params: Params, key: Key, batch: Sequences) -> tuple[Array, Info]:
        def one(key: Key, xs: Array, mask: Array) -> tuple[Array, Array]:
            step, start = step_of(model, params), model.start(params)
            bound, result = filtering_bound(key, step, start, xs, particles, objective, mask=mask)
            return bound, jnp.sum(result.ess * mask) / (particles * jnp.maximum(mask.sum(), 1))

        keys = jax.random.split(key, len(batch.xs))
        bounds, ess = jax.vmap(one)(keys, batch.xs, batch.mask)
        bound = jnp.mean(bounds)
        return -bound, {"bound": bound, "ess_per_particle": jnp.mean(ess)}

    return loss


def evaluate(config: Config, task: Task, params: Params, key: Key) -> dict[str, Any]:
    """Returns every bound of the test sequences at every number of particles, in nats."""
    schemes, schedules, _ = zip(*FILTERING_OBJECTIVES.values(), strict=True)

    @partial(jax.jit, static_argnums=4)
    def bounds(params: Params, key: Key, test: Sequences, index: Array, particles: int) -> Array:
        # The objective chosen at run time: one program per number of particles.
        samplers = [scheme.sample for scheme in schemes]
        chosen = partial(jax.lax.switch, index, samplers)
        objective = FilteringObjective(
            dataclasses.replace(multinomial, sample=chosen),
            lambda log_weights: jax.lax.switch(index, schedules, log_weights),
        )

        def one(inputs: tuple[Key, Array, Array]) -> Array:
            key, xs, mask = inputs
            step, start = step_of(task.model, params), task.model.start(params)
            return filtering_bound(key, step, start, xs, particles, objective, mask=mask)[0]

        keys = jax.random.split(key, len(test.xs))
        return jax.lax.map(one, (keys, test.xs, test.mask), batch_size=64)

    test = task.sequences["test"]
    curves: dict[str, list[float]] = {name: [] for name in FILTERING_OBJECTIVES}
    with progress(len(curves) * len(config.evaluate_particles), unit="bound") as advance:
        for i, particles in enumerate(config.evaluate_particles):
            for j, name in enumerate(curves):
                same = jax.random.fold_in(key, i)  # common random numbers for all four
                values = bounds(params, same, test, jnp.asarray(j), particles)
                curves[name].append(float(values.mean()))
                advance(1, f"{name} {curves[name][-1]:.2f}")
    result = {
        "particles": list(config.evaluate_particles),
        "test_bounds": curves,
        "test_bound": curves[config.objective][-1],
        "test_sequences": len(test.xs),
        "test_steps": float(test.mask.sum(axis=1).mean()),
    }
    if task.exact is not None:
        exact = jax.jit(jax.vmap(task.exact, (None, 0, 0)))
        for name, of in (("", params), ("_of_truth", task.truth)):
            values = exact(of, test.xs, test.mask)
            result[f"test_log_likelihood{name}"] = float(values.mean())
    return result


def draw(
    out: RunDirectory,
    config: Config,
    task: Task,
    params: Params,
    key: Key,
    result: dict[str, Any],
) -> list[str]:
    """Draws the bounds, the learning curve and the filtered signal; returns the paths."""
    level = None
    if task.exact is not None:
        level = "exact log likelihood", result["test_log_likelihood"]
    curve = {"train_bound": "train", "validation_bound": "validation"}
    label = "nats per sequence"
    figures = {
        "bounds": against_count(
            result["particles"],
            {name.upper(): values for name, values in result["test_bounds"].items()},
            level=level,
            xlabel="particles",
            ylabel=f"bound ({label})",
            title="Bounds of one trained model",
        ),
        "learning_curve": learning_curve(out.metrics(), curve, ylabel=f"bound ({label})"),
    }
    if task.signal is not None:
        figures["filtered"] = filtered(task, params, key)
    else:
        figures["samples"] = image_grid(sampled_images(task, params, key), title="Samples")
    return [str(out.save_picture(name, figure)) for name, figure in figures.items()]


def filtered(task: Task, params: Params, key: Key) -> Any:
    """Draws the longest test sequence: the signal as 1,000 particles see it, and as it was."""
    assert task.signal is not None
    name, signal = task.signal
    test = task.sequences["test"]
    longest = int(jnp.argmax(test.mask.sum(axis=1)))
    length = int(test.mask[longest].sum())
    xs = test.xs[longest, :length]
    move = step_of(task.model, params)

    def step(key: Key, state: Any, x: Array) -> tuple[Any, Array, Array]:
        new, z, log_weight = move(key, state, x)
        return new, signal(params, state, z), log_weight

    result = jax.jit(lambda key: smc(key, step, task.model.start(params), xs, 1000))(key)
    weights = jnp.exp(result.log_weights)
    mean = jnp.sum(weights * result.samples, axis=1)
    variance = jnp.sum(weights * (result.samples - mean[:, None]) ** 2, axis=1)
    dots = {"x": xs[:, 0]} if task.exact is not None else {"|x|": jnp.abs(xs[:, 0])}
    return band_in_time(
        mean,
        jnp.sqrt(variance),
        curves={"truth": test.signals[longest, :length]},
        dots=dots,
        ylabel=name,
        title="One test sequence, filtered by the learned model",
    )


def sampled_images(task: Task, params: Params, key: Key) -> Array:
    """Returns 100 images drawn from the model row by row."""
    height = task.sequences["test"].xs.shape[1]
    sample = partial(sample_sequence, model=task.model, params=params, time=height)
    xs, _ = jax.jit(jax.vmap(lambda key: sample(key)))(jax.random.split(key, 100))
    return xs.reshape(100, height, *task.row_shape)


def report(config: Config, result: dict[str, Any], out: RunDirectory, pictures: list[str]) -> None:
    """Prints the table of the result and where everything is."""
    columns = ["particles", *(f"{name.upper()} (nats)" for name in result["test_bounds"])]
    rows = list(zip(result["particles"], *result["test_bounds"].values(), strict=True))
    title = (
        f"{config.dataset}: {result['test_sequences']} test sequences of "
        f"{result['test_steps']:.1f} steps"
    )
    print_table(title, columns, rows)
    if "test_log_likelihood" in result:
        print(
            f"exact log likelihood: {result['test_log_likelihood']:.3f} nats, under the params "
            f"that drew the sequences {result['test_log_likelihood_of_truth']:.3f}"
        )
    print(f"time: {result['seconds']:.1f} seconds")
    print("pictures:", *pictures, sep="\n  ")
    print(f"everything: {out.path}")


if __name__ == "__main__":
    main(Config, run)
