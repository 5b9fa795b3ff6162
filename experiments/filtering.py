"""Filtering bounds on sequences: IWAE, FIVO, AESMC and variational SMC, trained and compared.

Sequences of different length drawn from a linear-Gaussian model, whose log likelihood is also known
exactly, or from a stochastic-volatility model, both learned from scratch; or the rows of binary
images, under a variational recurrent network. The model and its proposal climb one bound; then all
four bounds of the trained model are measured against the number of particles.
(Maddison et al. 2017b; Le et al. 2018; Naesseth et al. 2018; Chung et al. 2015.)

  python -m experiments filtering
  python -m experiments filtering --dataset stochastic_volatility
  python -m experiments filtering --dataset digits --epochs 30 --learning-rate 3e-3

Expect (one seed) of the first, in nats per test sequence: IWAE -108.3 and FIVO -104.6 with 16
particles, -105.2 and -103.3 with 256; exactly -103.2, and -103.1 under the params that drew the
sequences. Of the third, per image of 8 rows: IWAE -17.5 and FIVO -17.1 with 16 particles, -16.9 and
-16.8 with 256. On two cores the first takes 40 seconds, most to compile, the third about two
minutes.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from jaxgen import workbench as wb
from jaxgen.models import Sequences, importance_step, kalman_filter
from jaxgen.numerics import highest_precision
from jaxgen.objectives import (
    FILTERING_OBJECTIVES,
    filtering_bound,
    filtering_bounds,
    ignore_resampling,
    score_resampling,
)
from jaxgen.pictures import against_count, learning_curve
from jaxgen.train import gradient_step, init_state, mean_over_batch
from jaxgen.types import Info, Key, Params

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GRADIENTS = {"ignored": ignore_resampling, "score": score_resampling}
LABEL = "bound (nats per sequence)"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(wb.SequenceConfig):
    """One model of sequences and the bound that it climbs."""

    schedule: ClassVar[str] = "constant"

    epochs: wb.Count = 100
    batch_size: wb.Count = 32
    learning_rate: wb.Positive = 1e-2
    objective: Literal["iwae", "fivo", "aesmc", "vsmc"] = "fivo"
    """The bound to climb."""
    resampling_gradient: Literal["ignored", "score"] = "ignored"
    """Of the choice of ancestors: left out, or by the score function (fivo only)."""
    particles: wb.Count = 16
    """In training and validation."""
    evaluate_particles: Annotated[tuple[wb.Count, ...], wb.RISING] = (4, 16, 64, 256)
    """Numbers of particles at which every bound is measured in the end."""

    def __post_init__(self) -> None:
        super().__post_init__()
        scheme = FILTERING_OBJECTIVES[self.objective].resampling
        if self.resampling_gradient == "score" and scheme.log_prob is None:
            raise ValueError(
                f"resampling_gradient: got 'score' with objective={self.objective}, whose scheme "
                "has no score of finite variance; expected --objective fivo"
            )


def run(config: Config) -> dict[str, Any]:
    """Trains the model of `config`; returns what result.json holds."""
    out = wb.begin(config)
    key_data, key_init, key_fit, key_validation, key_test, key_pictures = config.keys(6)
    sets = wb.load_sequences(config, key_data)
    model = sets.model
    objective = FILTERING_OBJECTIVES[config.objective]
    objective = objective._replace(gradient=GRADIENTS[config.resampling_gradient])

    def one(params: Params, key: Key, sequence: Sequences) -> tuple[Array, Info]:
        """Returns minus the bound of one sequence."""
        xs, mask, _ = sequence
        step, start = importance_step(model, params), model.start(params)
        bound, result = filtering_bound(
            key, step, start, xs, config.particles, objective, mask=mask
        )
        ess = jnp.sum(result.ess * mask) / (config.particles * jnp.maximum(mask.sum(), 1))
        return -bound, {"bound": bound, "ess_per_particle": ess}

    optimizer = optax.adam(config.learning_rate)
    params, _ = wb.train(
        out,
        init_state(jax.jit(model.init)(key_init), optimizer),
        gradient_step(mean_over_batch(one), optimizer),
        sets.train,
        wb.judge_by(mean_over_batch(one)),
        key=key_fit,
        judge_key=key_validation,
        held_out=sets.validation,
        monitor="bound",
    )
    result = evaluate(config, sets, params, key_test)
    curve = {"train_bound": "train", "validation_bound": "validation"}
    figures = {
        "bounds": draw_bounds(result),
        "learning_curve": learning_curve(out.records(), curve, ylabel=LABEL),
        **wb.draw_sequences(key_pictures, sets, params),
    }
    return out.finish(result, figures, [table(config, result)], notes(result))


@highest_precision
def evaluate(config: Config, sets: wb.SequenceSets, params: Params, key: Key) -> dict[str, Any]:
    """Returns every bound of the test sequences at every number of particles, in nats."""
    test = sets.test

    @partial(jax.jit, static_argnums=2)
    def bounds(params: Params, key: Key, particles: int) -> dict[str, Array]:
        step, start = importance_step(sets.model, params), sets.model.start(params)

        def one(inputs: tuple[Key, Array, Array]) -> dict[str, Array]:
            key, xs, mask = inputs
            return filtering_bounds(key, step, start, xs, particles, mask=mask)

        keys = jax.random.split(key, len(test.xs))
        return jax.lax.map(one, (keys, test.xs, test.mask), batch_size=64)

    curves: dict[str, list[float]] = {name: [] for name in FILTERING_OBJECTIVES}
    with wb.progress(len(config.evaluate_particles), unit="number of particles") as advance:
        for i, particles in enumerate(config.evaluate_particles):
            for name, values in bounds(params, jax.random.fold_in(key, i), particles).items():
                curves[name].append(float(values.mean()))
            advance(1, f"{config.objective} {curves[config.objective][-1]:.2f}")
    result = {
        "particles": list(config.evaluate_particles),
        "test_bounds": curves,
        "test_bound": curves[config.objective][-1],
        "test_sequences": len(test.xs),
        "test_steps": float(test.mask.sum(axis=1).mean()),
    }
    if config.dataset == "linear_gaussian" and sets.known is not None:

        @jax.jit
        def exact(params: Params) -> Array:
            of_one = partial(kalman_filter, params)
            filtered = jax.vmap(lambda xs, mask: of_one(xs, mask=mask))(test.xs, test.mask)
            return filtered.log_likelihood

        result["test_log_likelihood"] = float(exact(params).mean())
        result["test_log_likelihood_of_truth"] = float(exact(sets.known.params).mean())
    return result


def draw_bounds(result: dict[str, Any]) -> Figure:
    """Returns the bounds against the number of particles, and what they tend to where known."""
    exact = result.get("test_log_likelihood")
    return against_count(
        result["particles"],
        {name.upper(): values for name, values in result["test_bounds"].items()},
        level=None if exact is None else ("exact log likelihood", exact),
        xlabel="particles",
        ylabel=LABEL,
        title="Bounds of one trained model",
    )


def table(config: Config, result: dict[str, Any]) -> wb.Table:
    """Returns the bounds at every number of particles."""
    steps = f"{result['test_sequences']} test sequences of {result['test_steps']:.1f} steps"
    columns = ["particles", *(f"{name.upper()} (nats)" for name in result["test_bounds"])]
    rows = list(zip(result["particles"], *result["test_bounds"].values(), strict=True))
    return wb.Table(f"{config.dataset}: {steps}", columns, rows)


def notes(result: dict[str, Any]) -> list[str]:
    """Returns the line of the exact log likelihood, where it is known."""
    if "test_log_likelihood" not in result:
        return []
    return [
        f"exact log likelihood: {result['test_log_likelihood']:.3f} nats, under the params "
        f"that drew the sequences {result['test_log_likelihood_of_truth']:.3f}"
    ]


if __name__ == "__main__":
    wb.main(Config, run)
