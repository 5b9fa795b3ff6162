"""Images of known entropy: a model's KL to the truth in nats, and every bound's true gap.

A frozen PixelCNN draws digits of which log p(x) is known, so that a model's NLL less the entropy is
KL(p || q): it falls in training and cannot be below zero. For a VAE it lies between what its ELBO
and annealed importance sampling (AIS) say. A "likelihood" with a lower NLL than the entropy is none:
here the reconstruction term of a VAE, taken for the whole. 1,000 draws are written to a file, which
is as long as their NLL, and read back. Then a frozen VAE of two latents, whose log p(x) quadrature
gives: what each bound lacks of it, for images that it drew.

  python -m experiments known_entropy

EXPECT
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import jax
import numpy as np
from jaxtyping import Array

from jaxgen import workbench as wb
from jaxgen.certify import (
    kl_from_draws,
    teacher,
)
from jaxgen.train import gradient_step, init_state, mean_over_batch
from jaxgen.types import Info, Key, Params

if TYPE_CHECKING:
    pass

LABELS = {"made": "MADE", "pixelcnn": "PixelCNN", "vae": "VAE (its ELBO)"}
SETS = 40
"""Of importance samples, from each of which every bound is taken."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(wb.TrainingConfig):
    """How much the models see of the teacher, and how closely bounds are measured."""

    epochs: wb.Count = 15
    batch_size: wb.Count = 100
    learning_rate: wb.Positive = 2e-3
    images: wb.Count = 10_000
    """Drawn to train on."""
    held_out: Annotated[int, wb.AtLeast(2)] = 1000
    """Drawn for the KL, and written to the file."""
    simulated: Annotated[int, wb.AtLeast(2)] = 100
    """Drawn from the frozen VAE, for the gaps, and bracketed by AIS."""
    samples: wb.Count = 50
    """Importance samples in a bound."""
    temperatures: wb.Count = 50
    """Of AIS."""
    chains: wb.Count = 8
    """Of AIS, for each image."""
    points: wb.Count = 500
    """Of the quadrature, in each of the two latents."""
    schedule: ClassVar[str] = "cosine"

    def __post_init__(self) -> None:
        super().__post_init__()
        wb.require_extra("held_out", "constriction", "compression")


def run(config: Config) -> dict[str, Any]:
    """Trains the models, measures them and the bounds; returns what result.json holds."""
    out = wb.begin(config)
    key_data, key_held_out, key_init, key_fit, key_judge, key_draw, key_gaps = config.keys(7)
    truth = teacher()
    data = truth.draw(key_data, config.images)
    held_out = truth.draw(key_held_out, config.held_out)
    entropy = wb.mean_over_images(-np.asarray(held_out.log_prob, float))
    models, vae = make_models(np.asarray(data.x))
    optimizer = wb.make_optimizer(config.learning_rate, config.num_steps(config.images))

    def one(part: wb.Run, name: str) -> Params:
        init, log_q = models[name]

        def loss(params: Params, key: Key, x: Array) -> tuple[Array, Info]:
            nll = -log_q(params, key, x)
            return nll, {"nll": nll}

        @jax.jit
        def judge(params: Params, key: Key, draws: Any) -> dict[str, Array]:
            keys = jax.random.split(key, len(draws.x))
            found = kl_from_draws(draws.log_prob, jax.vmap(partial(log_q, params))(keys, draws.x))
            return {"kl": found.value, "lower": found.lower, "upper": found.upper}

        start = init_state(jax.jit(init)(key_init), optimizer)
        update = gradient_step(mean_over_batch(loss), optimizer)
        settings: Any = {"key": key_fit, "judge_key": key_judge, "monitor": "kl", "better": "lower"}
        return wb.train(part, start, update, data.x, judge, held_out=held_out, **settings).params

    swept = wb.sweep(out, {name: name for name in models}, one)
    result = {
        **wb.mean_over_images(-np.asarray(held_out.log_prob, float)).named("entropy"),
        "kl": {name: swept.last(name) for name in swept.results},
        "vae": judge_vae(config, models["vae"].vae, swept["vae"], key_judge, held_out),
        "file": write_and_read(truth, np.asarray(held_out.x)),
        "gaps": true_gaps(config, key_gaps),
    }
    frozen = frozen_vae()
    drawn = {"the teacher": held_out.x[:SHOWN]}
    drawn |= {
        LABELS[name]: models[name].draw(params, key_draw) for name, params in swept.results.items()
    }
    drawn["the frozen VAE"] = simulate(key_draw, *frozen, SHOWN).x
    figures = {
        "kl": draw_kl(swept.records),
        "draws": side_by_side(
            drawn, columns=SHOWN, title="Drawn by the truth, and by models of it"
        ),
        "gaps": draw_gaps(result["gaps"]),
    }
    return out.finish(result, figures, tables(config, result))


class Student(NamedTuple):
    """A model of the teacher's images."""

    init: Callable[[Key], Params]
    log_q: Callable[[Params, Key, Array], Array]
    """Of one image: exact, or the ELBO of one sample."""
    draw: Callable[[Params, Key], Array]


def make_students(vae: LatentVariableModel) -> dict[str, Student]:
    """Returns the models, by their names."""

    def of_density(density: Density) -> Student:
        def log_q(params: Params, key: Key, x: Array) -> Array:
            return density.distribution(params, ()).log_prob(x)

        @jax.jit
        def draw(params: Params, key: Key) -> Array:
            return density.distribution(params, ()).sample(seed=key, sample_shape=SHOWN)

        return Student(partial(density.init, context=()), log_q, draw)

    def evidence(params: Params, key: Key, x: Array) -> Array:
        at = observe(vae, params, x)
        return elbo(key, at.log_likelihood, at.q, at.prior).elbo

    nets = {"made": MADE((300,)), "pixelcnn": PixelCNN(1, features=32, rows=4, reach=4, blocks=2)}
    bernoulli = LIKELIHOODS["bernoulli"]
    students = {
        name: of_density(autoregressive(net, bernoulli, X_SHAPE)) for name, net in nets.items()
    }
    draw = jax.jit(lambda params, key: simulate(key, vae, params, SHOWN).x)
    return {**students, "vae": Student(vae.init, evidence, draw)}


def judge_vae(
    config: Config, vae: LatentVariableModel, params: Params, key: Key, draws: Draws
) -> dict[str, Any]:
    """Returns the bracket of its KL, and what its reconstruction says if taken for log q(x)."""

    def one(params: Params, key: Key, x: Array) -> dict[str, Array]:
        at = observe(vae, params, x)
        key_z, key_bounds, key_elbo = jax.random.split(key, 3)
        # The last point of a chain is nearly one of the posterior: the upper bound nearly one.
        z = annealed_importance_weight(key_z, *annealing(config, at)).z
        lower, upper = bidirectional_bounds(key_bounds, z, *annealing(config, at), config.chains)[
            :2
        ]
        claimed = elbo(key_elbo, at.log_likelihood, at.q, at.prior).reconstruction
        return {"at_most": lower, "at_least": upper, "reconstruction": claimed}

    log_p, x = (of[: config.simulated] for of in (draws.log_prob, draws.x))
    measured = wb.image_by_image(one, batch_size=50)(params, key, x)
    return {name: as_numbers(kl_from_draws(log_p, log_q)) for name, log_q in measured.items()}


def annealing(config: Config, at: Observed) -> tuple[Any, ...]:
    """Returns what annealed importance sampling is told, from the encoder's q to the posterior."""

    def transition(key: Key, log_density: Any, z: Array, beta: Array) -> Any:
        step_size = 0.7 * at.q.stddev()
        return hmc_step(key, log_density, z, step_size=step_size, num_leapfrog_steps=5)

    return at.log_joint, at.q, transition, linear_temperatures(config.temperatures)


def write_and_read(truth: Teacher, x: np.ndarray) -> dict[str, Any]:
    """Returns the length of the file of all images, in bytes, and what it should be."""

    def at(x: Array, place: Array) -> Bernoulli:
        logits = TEACHER_NET.apply(truth.params, x, place[None], method="pixels")
        return Bernoulli(logits[0, 0, 0])  # type: ignore[index]

    code = one_pixel_code(at, x_shape=X_SHAPE, levels=2, batch_size=len(x))
    symbols = x.reshape(len(x), -1).astype(np.int32)
    file = autoregressive_encode(code, symbols)
    lossless = np.array_equal(autoregressive_decode(code, file), symbols)
    return {"bytes": len(file), "lossless": lossless, "images": len(x)}


def true_gaps(config: Config, key: Key) -> dict[str, dict[str, float]]:
    """Returns each bound less log p(x), for images that the frozen VAE draws, in nats."""
    model, params = frozen_vae()
    key_draw, key_bounds = jax.random.split(key)
    z, x = simulate(key_draw, model, params, config.simulated)
    log_px = log_prob_by_quadrature(model, params, x, points=config.points)

    def one(params: Params, key: Key, of: tuple[Array, Array]) -> dict[str, Array]:
        z, x = of
        at = observe(model, params, x)
        key_weights, key_ais = jax.random.split(key)
        shape = SETS, config.samples
        weights = log_importance_weights(key_weights, at.log_joint, at.q, math.prod(shape))
        found = {
            name: jnp.mean(jax.vmap(of)(weights.reshape(shape))) for name, of in BOUNDS.items()
        }
        ais = bidirectional_bounds(key_ais, z, *annealing(config, at), config.chains)
        return {**found, "ais_lower": ais.lower, "ais_upper": ais.upper}

    bounds = wb.image_by_image(one, batch_size=50)(params, key_bounds, (z, x))
    return {
        name: wb.mean_over_images(np.asarray(of - log_px, float))._asdict()
        for name, of in bounds.items()
    }


if __name__ == "__main__":
    wb.main(Config, run)
