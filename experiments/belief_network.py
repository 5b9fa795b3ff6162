"""Sigmoid belief network on binary images: one gradient estimator, or several compared.

Bernoulli latents, a learned prior, Bernoulli pixels drawn anew at each use; linear, or nonlinear
with --hidden 200 200. Every estimator of the gradient of the ELBO starts from the same params, sees
the same images in the same order and spends the same evaluations of log p(x, z) - log q(z|x), save
local_expectation, which needs one more per latent. The numbers are ELBOs at samples of q whatever
is climbed: relaxed climbs a relaxed ELBO, vimco the importance-weighted bound.
(Mnih & Gregor 2014; Dong, Mnih & Tucker 2020.)

  python -m experiments belief_network --estimator disarm rloo score_function

Dong et al.'s settings, 1e6 steps: --dataset fashion_mnist --learning-rate 1e-4 --epochs 1000
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from jaxgen.checks import at_least, one_of, positive
from jaxgen.data import ImageSet, load
from jaxgen.estimators import (
    Estimate,
    Estimator,
    arm,
    count_evaluations,
    disarm,
    gumbel_straight_through,
    learned,
    leave_one_out,
    local_expectation,
    moving_average,
    muprop,
    optimal_coefficient,
    rebar,
    relax,
    relaxed,
    score_function,
    straight_through,
    vimco,
)
from jaxgen.metrics import active_units, log_marginal
from jaxgen.models import LIKELIHOODS, LatentVariableModel, belief_network, observe
from jaxgen.nets import MLP
from jaxgen.pictures import image_grid, learning_curve, side_by_side
from jaxgen.train import (
    EstimatorLoss,
    data_mesh,
    estimator_step,
    init_estimator_state,
    replicate,
    scan_epoch,
    shard,
)
from jaxgen.types import Info, Key, Params
from jaxgen.workbench import (
    ImageConfig,
    RunDirectory,
    fit,
    main,
    map_in_blocks,
    new_path,
    open_run,
    print_table,
    require_devices,
)


class Controls(NamedTuple):
    """The networks that learn to predict the objective.

    Attributes:
      of_x: NVIL's baseline, from the image less the mean.
      of_x_and_z: RELAX's control, from that and the continuous z behind the sample.
    """

    of_x: nn.Module
    of_x_and_z: nn.Module


def _nvil(evaluations: int, controls: Controls) -> Estimator:
    net = controls.of_x
    predict = learned(net.init, lambda params, x: jnp.asarray(net.apply(params, x)))
    return score_function(evaluations, baseline=predict)


def _relax(evaluations: int, controls: Controls) -> Estimator:
    net = controls.of_x_and_z

    def both(z: Array, x: Array) -> Array:
        return jnp.concatenate([x.reshape(-1), z])

    return relax(
        evaluations // 2,
        network_init=lambda key, z, x: net.init(key, both(z, x)),
        network_apply=lambda params, z, x: jnp.asarray(net.apply(params, both(z, x))),
    )


ESTIMATORS: dict[str, Callable[[int, Controls], Estimator]] = {
    "score_function": lambda n, _: score_function(n),
    "moving_average": lambda n, _: score_function(n, baseline=moving_average()),
    "optimal_coefficient": lambda n, _: score_function(n, baseline=optimal_coefficient()),
    "nvil": _nvil,
    "rloo": lambda n, _: score_function(n, baseline=leave_one_out()),
    "muprop": lambda n, _: score_function(n - 1, baseline=muprop()),
    "arm": lambda n, _: arm(n),
    "disarm": lambda n, _: disarm(n),
    "rebar": lambda n, _: rebar(n // 2),
    "relax": _relax,
    "vimco": lambda n, _: vimco(n),
    "relaxed": lambda n, _: relaxed(n),
    "straight_through": lambda n, _: straight_through(n),
    "gumbel_straight_through": lambda n, _: gumbel_straight_through(n),
    "local_expectation": lambda n, _: local_expectation(1),
}
"""By name: (evaluations of the objective, networks) to the estimator that spends so many."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(ImageConfig):
    """One belief network and the estimators it is trained with, one after the other."""

    estimator: tuple[str, ...] = ("disarm",)
    """One name or several: score_function, moving_average, optimal_coefficient, nvil, rloo, muprop,
    arm, disarm, rebar, relax, vimco, relaxed, straight_through, gumbel_straight_through,
    local_expectation."""
    evaluations: int = 2
    """Of the objective, per image and step; even."""
    epochs: int = 200
    batch_size: int = 50
    prior_learning_rate: float = 1e-2
    """Step size of SGD on the prior's logits; --learning-rate is Adam's on both networks."""
    control_learning_rate: float = 1e-3
    """Step size of Adam on what an estimator learns: baseline, control, temperature."""
    hidden: tuple[int, ...] = ()
    """Widths of the LeakyReLU(.3) layers on each side; none for the linear network."""
    latent_size: int = 200
    """Dimensions of z."""
    nll_samples: int = 1000
    """Importance samples per test image."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.estimator:
            one_of("estimator", name, ESTIMATORS)
        if not self.estimator or len(set(self.estimator)) < len(self.estimator):
            raise ValueError(f"estimator: got {self.estimator}, expected one or more, each once")
        if at_least("evaluations", self.evaluations, 2) % 2:
            raise ValueError(f"evaluations: got {self.evaluations}, expected an even number")
        at_least("latent_size", self.latent_size, 1)
        at_least("nll_samples", self.nll_samples, 1)
        for width in self.hidden:
            at_least("hidden", width, 1)
        for name in ("prior_learning_rate", "control_learning_rate"):
            positive(name, getattr(self, name))


class Problem(NamedTuple):
    """What every estimator is given alike.

    Attributes:
      train, validation, test: the images.
      x_mean: of the training images, in [0, 1].
      model: the network.
      params: where it starts.
    """

    train: ImageSet
    validation: ImageSet
    test: ImageSet
    x_mean: Array
    model: LatentVariableModel
    params: Params


def run(config: Config) -> dict[str, Any]:
    """Trains with each estimator of `config`; returns what result.json holds, by their names."""
    require_devices(config.devices)
    problem = make_problem(config)
    measures = make_measures(problem, config.nll_samples)
    out = open_run(config.run_dir or new_path("belief_network"), config, resume=config.resume)
    print(f"run directory: {out.path}")
    results: dict[str, Any] = {}
    curves: list[dict[str, Any]] = []
    for name in config.estimator:
        alone = len(config.estimator) == 1
        with contextlib.nullcontext(out) if alone else out.part(name) as part:
            results[name] = train_and_evaluate(config, problem, measures, name, part)
        curves += [{"epoch": r["epoch"], name: r["train_elbo"]} for r in part.metrics()]
    out.write_result(results)
    if len(results) > 1:
        title = f"Train ELBO by estimator, {config.evaluations} evaluations per image and step"
        comparison = learning_curve(curves, {name: name for name in results}, title=title)
        out.save_picture("comparison", comparison)
    report(config, problem, results)
    return results


def make_problem(config: Config) -> Problem:
    """Returns the images and the network whose untrained decoder says their mean."""
    train, validation, test = (
        load(config.dataset, split, data_dir=config.data_dir, binarization="dynamic")
        for split in ("train", "validation", "test")
    )
    if config.batch_size > len(train.images):
        raise ValueError(
            f"batch_size: got {config.batch_size}, expected at most {len(train.images)}, the "
            f"training images of {config.dataset}"
        )
    x_mean = jnp.asarray(train.images.mean(axis=0, dtype=np.float64) / 255, jnp.float32)
    likelihood = LIKELIHOODS["bernoulli"]
    bias = likelihood.initial_bias(x_mean)

    def leaky_relu(x: Array) -> Array:
        return nn.leaky_relu(x, 0.3)

    model = belief_network(
        MLP(config.hidden, (config.latent_size,), leaky_relu),
        MLP(config.hidden, bias.shape, leaky_relu, output_bias_init=lambda *_: bias),
        likelihood.distribution,
        latent_size=config.latent_size,
        x_mean=x_mean,
    )
    params = jax.jit(model.init)(jax.random.fold_in(jax.random.key(config.seed), 0))
    return Problem(train, validation, test, x_mean, model, params)


def make_estimator(name: str, evaluations: int, x_mean: Array) -> Estimator:
    """Returns the estimator of that name; NVIL's baseline starts at the mean image's log prob."""
    likelihood = LIKELIHOODS["bernoulli"]
    of_mean = likelihood.distribution(likelihood.initial_bias(x_mean)).log_prob(x_mean)
    controls = Controls(
        of_x=MLP((100,), (), nn.tanh, output_bias_init=lambda *_: jnp.asarray(of_mean)),
        of_x_and_z=MLP((100,), (), nn.tanh),
    )
    return ESTIMATORS[name](evaluations, controls)


def make_loss(
    model: LatentVariableModel,
    estimator: Estimator,
    prepare: Callable[[Key, Array], Array],
    x_mean: Array,
) -> EstimatorLoss:
    """Returns the negative bound of one image; the info's `elbo` is that of a fresh sample of q."""

    def loss(params: Params, held: Any, key: Key, image: Array) -> tuple[Array, Estimate, Info]:
        key_x, key_z, key_elbo = jax.random.split(key, 3)
        x = prepare(key_x, image)
        at = observe(model, params, x)
        surrogate, estimate = estimator.apply(held, key_z, at.log_weight, at.q, x - x_mean)
        return -surrogate, estimate, {"elbo": at.log_weight(at.q.sample(seed=key_elbo))}

    return loss


def make_optimizer(config: Config) -> optax.GradientTransformation:
    """Returns Adam for the networks and SGD for the prior."""
    return optax.partition(
        {
            "networks": optax.adam(config.learning_rate),
            "prior": optax.sgd(config.prior_learning_rate),
        },
        {"encoder": "networks", "decoder": "networks", "prior": "prior"},
    )


class Measures(NamedTuple):
    """What is computed of trained params, each compiled once for all estimators.

    Attributes:
      validation: `(params, key, images)` to an ELBO per image, one draw of x and z.
      train: likewise to `DRAWS` ELBOs per image.
      test: likewise to the ELBO, the NLL and E_q[z|x] per image.
      pictures: `(params, key, images)` to samples, images as drawn, and their reconstructions.
    """

    validation: Callable[[Params, Key, Array], Array]
    train: Callable[[Params, Key, Array], Array]
    test: Callable[[Params, Key, Array], dict[str, Array]]
    pictures: Callable[[Params, Key, Array], tuple[Array, Array, Array]]


DRAWS = 10
"""Of every training image and its z, for the final train ELBO."""


def make_measures(problem: Problem, nll_samples: int) -> Measures:
    """Returns the measures of the problem's model on its images, in nats."""
    model, prepare = problem.model, problem.test.prepare

    def elbo(prepare: Callable[[Key, Array], Array], params: Params, key: Key, image: Array):
        key_x, key_z = jax.random.split(key)
        at = observe(model, params, prepare(key_x, image))
        return at.log_weight(at.q.sample(seed=key_z))

    def elbos(params: Params, key: Key, image: Array) -> Array:
        draw = partial(elbo, problem.train.prepare, params)
        return jax.vmap(draw, (0, None))(jax.random.split(key, DRAWS), image)

    def numbers(params: Params, key: Key, image: Array) -> dict[str, Array]:
        key_x, key_nll, key_elbo = jax.random.split(key, 3)
        at = observe(model, params, prepare(key_x, image))
        return {
            "elbo": elbo(prepare, params, key_elbo, image),
            "nll": -log_marginal(key_nll, at.log_joint, at.q, nll_samples),
            "mean": at.q.mean(),
        }

    def each(one: Callable[[Params, Key, Array], Any]) -> Callable[[Params, Key, Array], Any]:
        def of_all(params: Params, key: Key, images: Array) -> Any:
            keys = jax.random.split(key, len(images))
            return jax.lax.map(lambda pair: one(params, *pair), (keys, images), batch_size=10)

        return jax.jit(of_all)

    def pictures(params: Params, key: Key, images: Array) -> tuple[Array, Array, Array]:
        key_prior, key_x, key_q = jax.random.split(key, 3)
        decode = jax.vmap(lambda z: model.decode(params, z).mean())
        encode = jax.vmap(lambda key, x: model.encode(params, x).sample(seed=key))
        x = prepare(key_x, images)
        z = model.prior(params).sample(seed=key_prior, sample_shape=(100,))
        return decode(z), x, decode(encode(jax.random.split(key_q, len(x)), x))

    return Measures(
        validation=each(partial(elbo, problem.validation.prepare)),
        train=each(elbos),
        test=each(numbers),
        pictures=jax.jit(pictures),
    )


def train_and_evaluate(
    config: Config, problem: Problem, measures: Measures, name: str, out: RunDirectory
) -> dict[str, Any]:
    """Trains with the estimator `name` in the directory `out`; returns its numbers."""
    model, x_mean = problem.model, problem.x_mean
    key_init, key_fit, key_validation, key_train, key_test, key_pictures = jax.random.split(
        jax.random.fold_in(jax.random.key(config.seed), 1), 6
    )
    estimator = make_estimator(name, config.evaluations, x_mean)
    q = jax.jit(model.encode)(problem.params, x_mean)
    held = jax.jit(estimator.init)(key_init, q, jnp.zeros_like(x_mean))
    optimizer, control = make_optimizer(config), optax.adam(config.control_learning_rate)
    mesh = data_mesh(config.devices)
    loss = make_loss(model, estimator, problem.train.prepare, x_mean)
    update = shard(estimator_step(loss, estimator, optimizer, control_optimizer=control), mesh)
    epoch = jax.jit(scan_epoch(update, config.batch_size), donate_argnums=0)
    images, held_out = replicate((problem.train.images, problem.validation.images), mesh)

    state = init_estimator_state(problem.params, optimizer, held, control_optimizer=control)

    def validate(params: Params) -> dict[str, Any]:
        key = jax.random.clone(key_validation)  # the same draws after every epoch
        return {"elbo": jnp.mean(measures.validation(params, key, held_out))}

    params = fit(
        out,
        replicate(state, mesh),
        lambda state, key, index: epoch(state, key, images),
        validate,
        key=key_fit,
        epochs=config.epochs,
    )
    trained = time.monotonic()
    params = jax.device_put(params, mesh.devices.flat[0])
    train = map_in_blocks(
        partial(measures.train, params),
        key_train,
        problem.train.images,
        "train ELBO",
        block_size=2500,
    )
    test = map_in_blocks(
        partial(measures.test, params), key_test, problem.test.images, "test NLL", block_size=2500
    )
    draw(out, measures.pictures(params, key_pictures, jnp.asarray(problem.test.images[:30])), name)
    training_seconds = out.metrics()[-1]["seconds"]  # before and after every --resume
    return {
        "evaluations": count_evaluations(estimator, q),
        **summary(train, test),
        "training_seconds": training_seconds,
        "seconds": training_seconds + time.monotonic() - trained,
    }


def summary(train: np.ndarray, test: dict[str, np.ndarray]) -> dict[str, Any]:
    """Returns the means, in nats, and the use of the latents.

    The interval of the train ELBO, half a 95% one, is of the draws of x and z alone: the images
    are all there are, and another seed of the training moves it more.
    """
    train_stderr = np.sqrt(train.var(axis=1, ddof=1).mean() / train.size)
    return {
        "train_elbo": train.mean(),
        "train_elbo_interval": 1.96 * train_stderr,
        "test_elbo": test["elbo"].mean(),
        "test_nll": test["nll"].mean(),
        "test_nll_stderr": test["nll"].std(ddof=1) / np.sqrt(len(test["nll"])),
        "active_units": int(active_units(jnp.asarray(test["mean"], jnp.float32)).sum()),
    }


def draw(out: RunDirectory, pictures: tuple[Array, Array, Array], name: str) -> None:
    """Draws samples, reconstructions and the learning curve."""
    samples, x, reconstructions = pictures
    curve = {"train_elbo": "train", "validation_elbo": "validation"}
    figures = {
        "samples": image_grid(samples, title="E[x|z] for z from the prior"),
        "reconstructions": side_by_side(
            {"original": x, "reconstructed": reconstructions}, title="Reconstructions"
        ),
        "learning_curve": learning_curve(out.metrics(), curve, title=f"Learning curve, {name}"),
    }
    for picture, figure in figures.items():
        out.save_picture(picture, figure)


def report(config: Config, problem: Problem, results: dict[str, Any]) -> None:
    """Prints the comparison and where everything is."""
    steps = config.epochs * (len(problem.train.images) // config.batch_size)
    rows = [
        [
            name,
            f"{result['train_elbo']:.2f} ± {result['train_elbo_interval']:.2f}",
            result["test_elbo"],
            result["test_nll"],
            result["active_units"],
            result["training_seconds"],
        ]
        for name, result in results.items()
    ]
    columns = ["estimator", "train ELBO", "test ELBO", "test NLL", "active", "seconds"]
    title = f"Belief network on {config.dataset}: nats per image after {steps} steps"
    print_table(title, columns, rows)


if __name__ == "__main__":
    main(Config, run)
