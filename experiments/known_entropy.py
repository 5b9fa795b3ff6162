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
    kls = {name: swept.last(name) for name in swept.results}
    claims = vae_claims(config, vae, swept["vae"], key_judge, held_out)
    written = unzip(truth, np.asarray(held_out.x))
    gaps = true_gaps(config, key_gaps)
    result = {
        "entropy": entropy.value,
        "entropy_stderr": entropy.stderr,
        "kl": kls,
        **claims,
        "file": written,
        "gaps": gaps,
    }
    drawn = {"truth": truth.draw(key_draw, 10).x}


if __name__ == "__main__":
    wb.main(Config, run)
