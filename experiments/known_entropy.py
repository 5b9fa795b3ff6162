"""Images of known entropy: how far models are from the truth, in nats.

A frozen PixelCNN (`jaxgen.certify.teacher`) draws digits of 28x28, and log p(x) of each is known.
So a model's NLL less the entropy is KL(p || q): it falls in training, and is never below zero. That
of a VAE lies between what two bounds by annealed importance sampling (AIS) say. A "likelihood" that
is better than the entropy is none: here the reconstruction term of the VAE, taken for the whole.

  python -m experiments known_entropy

Expect (one seed) KLs of 3.58 nats for the PixelCNN (standard error .09), 19.1 for MADE (.4), and
between 22.9 and 23.3 for the VAE (.7), of whose ELBO another 9 are the gap; its reconstruction term
alone would be 2.3 nats below the entropy, 91.5. In 163 seconds of CPU time: a minute and a half on
two cores.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from jaxgen import workbench as wb
from jaxgen.certify import Draws, kl_from_draws, simulate, teacher
from jaxgen.data import from_arrays
from jaxgen.inference import annealed_importance_weight, bidirectional_bounds, linear_temperatures
from jaxgen.models import (
    LIKELIHOODS,
    Density,
    LatentVariableModel,
    autoregressive,
    observe,
    subsampled_log_prob,
)
from jaxgen.nets import MADE, PixelCNN
from jaxgen.objectives import elbo
from jaxgen.pictures import INK, plot, side_by_side
from jaxgen.train import gradient_step, init_state, mean_over_batch
from jaxgen.types import Info, Key, Params

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {"made": "MADE", "pixelcnn": "PixelCNN", "vae": "VAE, by its ELBO"}
NETS = {"made": MADE((300,)), "pixelcnn": PixelCNN(1, features=32, rows=4, reach=4, layers=2)}
CLAIMS = ("VAE, at least", "VAE, at most", "VAE's reconstruction term")
PIXELS, SHOWN = 64, 10
"""Random pixels of an image that the PixelCNN learns from; draws of each in a picture."""
VAE = wb.Rule(lambda models: "vae" in models, "vae among them", whole=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(wb.TrainingConfig):
    """How much the models see of the truth, and how closely they are measured."""

    epochs: wb.Count = 40
    batch_size: wb.Count = 100
    learning_rate: wb.Positive = 2e-3
    models: Annotated[tuple[str, ...], wb.Among(NAMES), wb.SEVERAL, VAE] = tuple(NAMES)
    """To train, the VAE among them."""
    images: wb.Count = 10_000
    """Drawn to train on."""
    held_out: Annotated[int, wb.AtLeast(2)] = 1000
    """Drawn for the KL."""
    bracketed: Annotated[int, wb.AtLeast(2)] = 200
    """Of them, for the bracket of the VAE's KL."""
    temperatures: wb.Count = 50
    """Of AIS."""
    chains: wb.Count = 8
    """Of AIS, for each image."""
    schedule: ClassVar[str] = "cosine"


class Student(NamedTuple):
    """A model of the images; its log q(x) is exact, or the ELBO of one sample."""

    init: Callable[[Key], Params]
    log_q: Callable[[Params, Key, Array], Array]
    learned_by: Callable[[Params, Key, Array], Array]
    """What it climbs: log q(x), or as much on average."""
    draw: Callable[[Params, Key], Array]


def run(config: Config) -> dict[str, Any]:
    """Trains the models and measures them; returns what result.json holds."""
    out = wb.begin(config)
    key_data, key_held_out, key_init, key_fit, key_judge, key_draw = config.keys(6)
    truth = teacher()
    images = truth.draw(key_data, config.images).x
    held_out = truth.draw(key_held_out, config.held_out)
    vae = wb.image_vae(from_arrays(np.asarray(images, np.uint8)), (200,), 32)
    students = {
        name: of_latents(vae) if name == "vae" else of_pixels(NETS[name], images.shape[1:])
        for name in config.models
    }
    optimizer = wb.make_optimizer(config.learning_rate, config.num_steps(config.images))

    def one(part: wb.Run, student: Student) -> Params:
        def loss(params: Params, key: Key, x: Array) -> tuple[Array, Info]:
            nll = -student.learned_by(params, key, x)
            return nll, {"nll": nll}

        @jax.jit
        def judge(params: Params, key: Key, draws: Draws) -> dict[str, Array]:
            keys = jax.random.split(key, len(draws.x))
            return numbers(draws.log_prob, jax.vmap(partial(student.log_q, params))(keys, draws.x))

        return wb.train(
            part,
            init_state(jax.jit(student.init)(key_init), optimizer),
            gradient_step(mean_over_batch(loss), optimizer),
            images,
            judge,
            key=key_fit,
            judge_key=key_judge,
            held_out=held_out,
            monitor="kl",
            better="lower",
        ).params

    swept = wb.sweep(out, students, one)
    known = {NAMES[name]: swept.last(name) for name in swept.results}
    known |= judge_vae(config, vae, swept["vae"], jax.random.clone(key_judge), held_out)
    drawn = {"the truth": held_out.x[:SHOWN]}
    drawn |= {
        NAMES[name]: students[name].draw(swept[name], jax.random.clone(key_draw))
        for name in swept.results
    }
    figures = {"kl": draw_kl(swept.records), "draws": side_by_side(drawn, columns=SHOWN)}
    entropy = wb.mean_over_images(-np.asarray(held_out.log_prob, float)).named("entropy")
    result = {**entropy, "models": known}
    return out.finish(result, figures, [table(result)])


def of_pixels(net: Any, x_shape: tuple[int, ...]) -> Student:
    """Returns the model by the chain rule."""
    head = LIKELIHOODS["bernoulli"]
    density: Density = autoregressive(net, head, x_shape)

    def log_q(params: Params, key: Key, x: Array) -> Array:
        return density.distribution(params, ()).log_prob(x)

    @jax.jit
    def draw(params: Params, key: Key) -> Array:
        return density.distribution(params, ()).sample(seed=key, sample_shape=SHOWN)

    few = subsampled_log_prob(net, head, PIXELS) if hasattr(net, "pixels") else log_q
    return Student(lambda key: density.init(key, ()), log_q, few, draw)


def of_latents(vae: LatentVariableModel) -> Student:
    """Returns the VAE, with its ELBO for log q(x)."""

    def log_q(params: Params, key: Key, x: Array) -> Array:
        at = observe(vae, params, x)
        return elbo(key, at.log_likelihood, at.q, at.prior).elbo

    draw = jax.jit(lambda params, key: simulate(key, vae, params, SHOWN).x)
    return Student(vae.init, log_q, log_q, draw)


def judge_vae(
    config: Config, vae: LatentVariableModel, params: Params, key: Key, draws: Draws
) -> dict[str, dict[str, Any]]:
    """Returns the KL of the VAE from both sides, and that of its reconstruction term."""

    def one(params: Params, key: Key, x: Array) -> tuple[Array, Array, Array]:
        at = observe(vae, params, x)
        key_z, key_bounds, key_elbo = jax.random.split(key, 3)
        steps = wb.hamiltonian(wb.encoded_phi(vae, params, x))
        path = at.log_joint, at.q, steps, linear_temperatures(config.temperatures)
        # A chain ends near the posterior. The upper bound asks for a sample of it.
        z = annealed_importance_weight(key_z, *path).z
        log_q = bidirectional_bounds(key_bounds, z, *path, config.chains)
        terms = elbo(key_elbo, at.log_likelihood, at.q, at.prior)
        return log_q.upper, log_q.lower, terms.reconstruction

    log_p, x = (of[: config.bracketed] for of in (draws.log_prob, draws.x))
    claims = wb.image_by_image(one, batch_size=50)(params, key, x)
    found = [jax.tree.map(float, numbers(log_p, log_q)) for log_q in claims]
    return dict(zip(CLAIMS, found, strict=True))


def numbers(log_p: Array, log_q: Array) -> dict[str, Array]:
    """Returns what is recorded of the KL."""
    known = kl_from_draws(log_p, log_q)
    return {"kl": known.value, "lower": known.lower, "upper": known.upper, "p": known.p_value}


def draw_kl(records: dict[str, list[dict[str, Any]]]) -> Figure:
    """Returns the KL of every model along its training, with its interval."""
    figure, axes = plot("How far models are from the truth", "epoch", "KL(p || q) (nats per image)")
    for name, of in records.items():
        keys = "kl", "lower", "upper"
        value, low, high = ([r[f"validation_{key}"] for r in of] for key in keys)
        epochs = [r["epoch"] for r in of]
        (line,) = axes.plot(epochs, value, lw=1.8, label=f"{NAMES[name]}  {value[-1]:.2f}")
        axes.fill_between(epochs, low, high, color=line.get_color(), alpha=0.25, lw=0)
    axes.axhline(0, color=INK, lw=1.2, ls="--", label="the truth")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, title="last epoch", alignment="left")
    return figure


def table(result: dict[str, Any]) -> wb.Table:
    """Returns every model's KL, and whether it can be one."""
    rows = [
        [name, of["kl"], f"{of['lower']:.2f} to {of['upper']:.2f}", of["p"]]
        for name, of in result["models"].items()
    ]
    title = f"NLL less the entropy, {result['entropy']:.2f} ± {result['entropy_stderr']:.2f} nats"
    return wb.Table(title, ["model", "KL", "95% interval", "p that it is a distribution"], rows)


if __name__ == "__main__":
    wb.main(Config, run)
