"""Sigmoid belief network on binary images: one gradient estimator, or several compared.

Bernoulli latents, a learned prior, Bernoulli pixels drawn anew at each use; linear, or nonlinear
with --hidden 200 200. Every estimator of the gradient of the ELBO starts from the same params, sees
the same images in the same order and spends the same evaluations of log p(x, z) - log q(z|x), save
local_expectation, which needs one more per latent. The numbers are ELBOs at samples of q whatever
is climbed: relaxed climbs a relaxed ELBO, vimco the importance-weighted bound.
(Mnih & Gregor 2014; Dong et al. 2020.)

  python -m experiments belief_network --estimator disarm rloo score_function

Dong et al.'s settings, 1e6 steps: --dataset fashion_mnist --learning-rate 1e-4 --epochs 1000
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from jaxgen import workbench as wb
from jaxgen.certify import at_budget
from jaxgen.estimators import (
    ESTIMATORS,
    Estimator,
    count_evaluations,
    network_estimators,
    vimco,
)
from jaxgen.metrics import active_units, log_marginal
from jaxgen.models import LIKELIHOODS, LatentVariableModel, observe
from jaxgen.nets import MLP
from jaxgen.pictures import learning_curve
from jaxgen.train import estimator_step, init_estimator_state
from jaxgen.types import Distribution, Key, Params

NAMES = (
    *("score_function", "moving_average", "optimal_coefficient", "nvil", "rloo", "muprop"),
    *("arm", "disarm", "rebar", "relax", "vimco", "local_expectation"),
    *("relaxed", "straight_through", "gumbel_straight_through"),  # biased
)
BERNOULLI = LIKELIHOODS["bernoulli"]
DRAWS = 10  # of every training image and its z, for the final train ELBO


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(wb.LatentConfig):
    """One belief network and the estimators it is trained with, one after the other."""

    schedule: ClassVar[str] = "constant"

    estimator: Annotated[tuple[str, ...], wb.Among(NAMES), wb.SEVERAL] = ("disarm",)
    """Of the gradient, one or several."""
    evaluations: Annotated[int, wb.AtLeast(2), wb.Rule(lambda n: n % 2 == 0, "an even number")] = 2
    """Of the objective, per image and step; even."""
    epochs: wb.Count = 200
    batch_size: wb.Count = 50
    prior_learning_rate: wb.Positive = 1e-2
    """Step size of SGD on the prior's logits; --learning-rate is Adam's on both networks."""
    control_learning_rate: wb.Positive = 1e-3
    """Step size of Adam on what an estimator learns: baseline, control, temperature."""
    hidden: tuple[wb.Count, ...] = ()
    """Widths of the LeakyReLU(.3) layers on each side; none for the linear network."""
    latent_size: wb.Count = 200


def run(config: Config) -> dict[str, Any]:
    """Trains with each estimator of `config`; returns what result.json holds, by their names."""
    out = wb.begin(config)
    images, validation, test = wb.load_pixels(config)
    x_mean = wb.mean_image(images.images)
    model = wb.image_belief_network(images.images, config.hidden, config.latent_size)
    params = jax.jit(model.init)(jax.random.fold_in(jax.random.key(config.seed), 0))
    q = jax.jit(model.encode)(params, x_mean)
    adam, control = optax.adam(config.learning_rate), optax.adam(config.control_learning_rate)
    optimizer = optax.partition(
        {"networks": adam, "prior": optax.sgd(config.prior_learning_rate)},
        {"encoder": "networks", "decoder": "networks", "prior": "prior"},
    )
    measures = make_measures(model, images.prepare, config.nll_samples)
    elbo, elbos, numbers = map(wb.image_by_image, measures)  # compiled once for all estimators
    figures = {}

    def one(part: wb.Run, name: str) -> dict[str, Any]:
        """Trains and draws with one estimator; returns its numbers."""
        key_init, key_fit, key_validation, key_train, key_test, key_pictures = jax.random.split(
            jax.random.fold_in(jax.random.key(config.seed), 1), 6
        )
        estimator = make_estimator(name, config.evaluations, q, x_mean)
        learns = jax.jit(estimator.init)(key_init, q, jnp.zeros_like(x_mean))
        loss = wb.estimator_loss(model, images.prepare, estimator, lambda x: x - x_mean)
        trained, _ = wb.train(
            part,
            init_estimator_state(params, optimizer, learns, control_optimizer=control),
            estimator_step(loss, estimator, optimizer, control_optimizer=control),
            images.images,
            lambda *arguments: {"elbo": jnp.mean(elbo(*arguments))},
            key=key_fit,
            judge_key=key_validation,
            held_out=validation.images,
        )
        measured = partial(wb.map_in_blocks, block_size=2500)
        on_train = measured(partial(elbos, trained), key_train, images.images, "train ELBO")
        on_test = measured(partial(numbers, trained), key_test, test.images, "test NLL")
        drawn = wb.draw_vae(key_pictures, model, trained, test, lambda key, q: q.sample(seed=key))
        drawn.pop("latent_grid", None)  # of Gaussian latents
        curve = {"train_elbo": "train", "validation_elbo": "validation"}
        title = f"Learning curve, {name}"
        drawn["learning_curve"] = learning_curve(part.records(), curve, title=title)
        figures.update((f"{picture}_{name}", figure) for picture, figure in drawn.items())
        cost = count_evaluations(estimator, q)
        return {"evaluations": cost, **summary(on_train, on_test), **part.seconds}

    swept = wb.sweep(out, {name: name for name in config.estimator}, one)
    if len(swept.results) > 1:
        title = f"Train ELBO by estimator, {config.evaluations} evaluations per image and step"
        names = {name: name for name in swept.results}
        figures["comparison"] = learning_curve(swept.curves("train_elbo"), names, title=title)
    failed = {"failed": swept.failed} if swept.failed else {}
    steps = config.num_steps(len(images.images))
    title = f"Belief network on {config.dataset}: nats per image after {steps} steps"
    tables = [table(title, swept.results)]
    return out.finish({**swept.results, **failed}, figures, tables, [*swept.failed.values()])


def make_estimator(name: str, evaluations: int, q: Distribution, x_mean: Array) -> Estimator:
    """Returns the estimator of that name with as many samples as the evaluations pay for.

    The networks see the image less the mean; NVIL's starts at the mean image's log probability.
    """
    of_mean = BERNOULLI.distribution(BERNOULLI.initial_bias(x_mean)).log_prob(x_mean)
    baseline = MLP((100,), (), nn.tanh, output_bias_init=wb.constant(jnp.asarray(of_mean)))
    with_networks = network_estimators(baseline, MLP((100,), (), nn.tanh))
    makes = {**ESTIMATORS, **with_networks, "vimco": vimco}
    return at_budget(makes[name], q, evaluations)[1]


def make_measures(
    model: LatentVariableModel, prepare: Callable[[Key, Array], Array], nll_samples: int
) -> tuple[Callable[[Params, Key, Array], Any], ...]:
    """Returns what is measured of an image: ELBO at one draw of x and z, at many; all numbers."""

    def elbo(params: Params, key: Key, image: Array) -> Array:
        key_x, key_z = jax.random.split(key)
        at = observe(model, params, prepare(key_x, image))
        return at.log_weight(at.q.sample(seed=key_z))

    def elbos(params: Params, key: Key, image: Array) -> Array:
        return jax.vmap(partial(elbo, params), (0, None))(jax.random.split(key, DRAWS), image)

    def numbers(params: Params, key: Key, image: Array) -> dict[str, Array]:
        key_x, key_nll, key_elbo = jax.random.split(key, 3)
        at = observe(model, params, prepare(key_x, image))
        nll = -log_marginal(key_nll, at.log_joint, at.q, nll_samples)
        return {"elbo": elbo(params, key_elbo, image), "nll": nll, "mean": at.q.mean()}

    return elbo, elbos, numbers


def summary(train: np.ndarray, test: dict[str, np.ndarray]) -> dict[str, Any]:
    """Returns the means, in nats, and the use of the latents."""
    elbo, nll = wb.mean_over_draws(train), wb.mean_over_images(test["nll"])
    return {
        "train_elbo": elbo.value,
        "train_elbo_interval": 1.96 * elbo.stderr,  # half a 95% one
        "test_elbo": test["elbo"].mean(),
        "test_nll": nll.value,
        "test_nll_stderr": nll.stderr,
        "active_units": int(active_units(jnp.asarray(test["mean"], jnp.float32)).sum()),
    }


def table(title: str, results: dict[str, Any]) -> wb.Table:
    """Returns the comparison."""
    rows = []
    for name, result in results.items():
        train_elbo = f"{result['train_elbo']:.2f} ± {result['train_elbo_interval']:.2f}"
        keys = ("test_elbo", "test_nll", "active_units", "training_seconds")
        rows.append([name, train_elbo, *(result[key] for key in keys)])
    columns = ["estimator", "train ELBO", "test ELBO", "test NLL", "active", "seconds"]
    return wb.Table(title, columns, rows)


if __name__ == "__main__":
    wb.main(Config, run)
