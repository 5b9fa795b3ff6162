"""f-GAN on the line: a Gaussian fitted to a mixture by each of eleven divergences, beside the best.

The critic's bound E_p t - E_q f*(t) is at most D_f(p || q); the critic raises it, the model lowers
it. p is .33 N(-1, .065) + .67 N(2, 2) (variances) and the model N(mean, sd²), so that no fit is
perfect and each divergence has a best one of its own, found here by quadrature: some prefer to
cover p, some to sit on its mass. (Nowozin et al. 2016, section 2.5.)

  python -m experiments f_gan
  python -m experiments f_gan --divergences kl reverse_kl pearson

Expect mean, sd and bound within .3% of the quadrature for KL, reverse KL, Jensen-Shannon, Jeffrey
and Pearson (measured for these five, one seed, 1,000 steps of the model). Ten seconds
of training each on two CPU cores, fifteen with everything.
"""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.scipy.special import ndtri
from jaxtyping import Array
from scipy import stats

from jaxgen import workbench as wb
from jaxgen.distributions import stratified_uniform
from jaxgen.divergences import DIVERGENCES, NormalsOnLine, activated_bound, variational_bound
from jaxgen.models import Gan, gan
from jaxgen.nets import MLPCritic
from jaxgen.objectives import activated_f_gan, f_gan, game_losses, output_penalty
from jaxgen.pictures import curve_panels, heat_map
from jaxgen.train import game_update, init_game
from jaxgen.types import Key

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DATA = NormalsOnLine((0.33, 0.67), (-1.0, 2.0), (0.065, 2.0), np.linspace(-30.0, 30.0, 15_001))
START = (0.0, 1.5)
"""Mean and sd before training: every divergence is finite there."""
ACTIVATED = ("total_variation", "pearson")
"""Trained through the activations of f-GAN. The canonical bound of total variation is a step in
the critic's output, without a gradient; Pearson's critic then learns 2 (p/q - 1) by least squares,
and its bound is five times as tight after as many steps."""
HELD_BACK = {"total_variation": {"penalty": output_penalty, "penalty_weight": 0.003}}
"""Its critic would otherwise learn its sign function so well that it has no slope left to learn
from, nor the model."""
PUBLISHED = {
    "kl": (1.0100, 1.8307, 0.2831),
    "reverse_kl": (1.5781, 1.6312, 0.2482),
    "jensen_shannon": (1.3068, 1.7540, 0.1281),
    "jeffrey": (1.3216, 1.7029, 0.5708),
    "pearson": (0.5737, 1.9273, 0.6458),
}
"""The best fits as Nowozin et al. (2016) print them: mean, sd, divergence."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(wb.TrainingConfig):
    """Which divergences, and how long each is trained."""

    divergences: Annotated[tuple[str, ...], wb.Among(wb.F_DIVERGENCES), wb.SEVERAL] = (
        wb.F_DIVERGENCES
    )
    """To fit by, one training each."""
    epochs: int = 20
    """How often the fit is looked at."""
    steps_per_epoch: wb.Count = 50
    """Steps of the model in each."""
    batch_size: int = 1024
    """Reals, and as many fakes, per step of either player."""
    learning_rate: float = 1e-2
    """Of both players' Adam (b1 = .5), down to a hundredth along half a cosine."""
    critic_steps: wb.Count = 5
    """Of the critic per step of the model."""
    schedule: ClassVar[str] = "cosine"


def run(config: Config) -> dict[str, Any]:
    """Fits by every divergence of `config`; returns what result.json holds, by their names."""
    out = wb.begin(config)
    model = make_model()
    swept = wb.sweep(out, {name: name for name in config.divergences}, partial(fit, config, model))
    result: dict[str, Any] = {}
    for name, learned in swept.results.items():
        at = learned["mean"], learned["sd"]
        result[name] = {
            **learned,
            "divergence": DATA.divergence(DIVERGENCES[name], *at),
            "best": DATA.closest(DIVERGENCES[name], mean=START[0], sd=START[1])._asdict(),
            "seconds": swept.seconds[name],
            "judged_by": {n: DATA.divergence(DIVERGENCES[n], *at) for n in swept.results},
        }
    figures = draw(config, result, swept.records)
    return out.finish(result, figures, tables(config, result), [*swept.failed.values()])


def make_model() -> Gan:
    """Returns the generator mean + sd z, of two parameters, and a small tanh MLP as its critic."""
    start = {"mean": jnp.float32(START[0]), "log_sd": jnp.float32(math.log(START[1]))}
    normal = lambda key, z: start, lambda at, z: at["mean"] + jnp.exp(at["log_sd"]) * z
    init = nn.initializers.lecun_normal()
    # It sees x and x²: between Gaussians the log ratio is linear in the two.
    critic = MLPCritic((32, 32), nn.tanh, init, features=lambda x: jnp.hstack([2 * x, x**2 / 2]))
    model = gan(normal, critic, latent_size=1, x_shape=(1,))
    # Independent draws are noise to the gradient at the best fit of Pearson: a thousand steps would
    # leave the mean 2% off.
    return model._replace(sample_latent=lambda key, n: ndtri(stratified_uniform(key, n))[:, None])


def fit(config: Config, model: Gan, part: wb.Run, name: str) -> dict[str, float]:
    """Returns what the game of one divergence ends with: mean, sd and bound."""
    key_init, key_fit = config.keys(2)
    steps, rate = config.epochs * config.steps_per_epoch, config.learning_rate
    # The critic comes first: the model waits for its advice.
    warm_up = optax.warmup_cosine_decay_schedule(0.0, rate, steps // 10, steps, rate / 100)
    adams = (
        optax.adam(warm_up, b1=0.5),
        wb.make_optimizer(rate, steps * config.critic_steps, b1=0.5),
    )
    loss = (activated_f_gan if name in ACTIVATED else f_gan)(DIVERGENCES[name])
    losses = game_losses(model, loss, **HELD_BACK.get(name, {}))
    x = jnp.asarray(DATA.grid, jnp.float32)[:, None]
    outputs = jax.jit(lambda critic: model.criticize(critic, x, train=False)[0])

    def judge(players: dict[str, Any], *_: Any) -> dict[str, float]:
        params = jax.device_get(players["generator"]["params"])
        at = {"mean": float(params["mean"]), "sd": math.exp(params["log_sd"])}
        v = np.asarray(outputs(players["critic"]), np.float64)
        # The best critic is the log ratio, but Pearson's. (The sign that total variation's
        # canonical pair takes of v needs no gradient here.)
        form = activated_bound if name == "pearson" else variational_bound
        return {**at, "bound": DATA.bound(DIVERGENCES[name], **at, v=v, form=form)}

    def draw_data(key: Key) -> Array:
        count = config.batch_size * config.critic_steps
        return DATA.from_uniform(stratified_uniform(key, count))[:, None]

    players, _ = wb.train(
        part,
        jax.jit(lambda key: init_game(key, model, *adams, ema=True))(key_init),
        game_update(losses, *adams, critic_steps=config.critic_steps, ema_decay=0.99),
        wb.Draws(draw_data, config.steps_per_epoch),
        judge,
        key=key_fit,
        evaluated=lambda g: {"generator": g.generator.averaged, "critic": g.critic.variables},
        monitor="bound",
    )
    return judge(players)


def draw(config: Config, result: dict[str, Any], records: dict[str, Any]) -> dict[str, Figure]:
    """Returns the fits, the bounds over time, and each fit under every divergence."""
    x, fits, bounds = np.linspace(-4, 7, 500), {}, {}
    for name, of in result.items():
        d, best = DIVERGENCES[name], of["best"]
        fits[f"{d.name}\nmean {of['mean']:.3f}, sd {of['sd']:.3f}"] = {
            "data": np.exp(DATA.log_density(x)),
            "learned": stats.norm.pdf(x, of["mean"], of["sd"]),
            "best, by quadrature": stats.norm.pdf(x, best["mean"], best["sd"]),
        }
        seen = [[r[f"validation_{k}"] for k in ("mean", "sd", "bound")] for r in records[name]]
        bounds[d.name] = {
            "divergence of the model then": [DATA.divergence(d, *at) for *at, _ in seen],
            "the critic's bound": [bound for *_, bound in seen],
            "least, by quadrature": best["divergence"],
        }
    # Per cent of the way from zero to the least: GAN is not zero between equals.
    judged = np.array([[of["judged_by"][name] for name in result] for of in result.values()])
    least = np.array([of["best"]["divergence"] for of in result.values()])
    excess = 100 * (judged - least) / (least - [DIVERGENCES[name].at_one for name in result])
    title, axes = "Above the least divergence, %", {"xlabel": "judged by", "ylabel": "fitted by"}
    labels, steps = [*bounds], config.steps_per_epoch * np.arange(1, config.epochs + 1)
    dashed = {"ls": "--", "color": "black", "lw": 1.0}
    styles = {"best, by quadrature": dashed, "least, by quadrature": dashed}
    drawn = partial(curve_panels, columns=4, styles=styles)
    return {
        "densities": drawn(x, fits, areas=["data"], xlabel="x", ylabel="density", ylim=(0.0, 0.6)),
        "bounds": drawn(steps, bounds, settled=0.75, xlabel="step of the model", ylabel="bound"),
        "judged_by": heat_map(excess, labels, labels, limits=(0.1, 400.0), title=title, **axes),
    }


def tables(config: Config, result: dict[str, Any]) -> list[wb.Table]:
    """Returns the learned fits and bounds beside the exact ones and the published."""
    fits, bounds = [], []
    for name, of in result.items():
        d, best = DIVERGENCES[name], of["best"]
        mean, sd, least = PUBLISHED.get(name, ("", "", ""))
        fits.append([d.name, of["mean"], best["mean"], mean, of["sd"], best["sd"], sd])
        found = [of["bound"], of["divergence"], best["divergence"], least]
        bounds.append([d.name, *found, DATA.infinite_for(d), round(of["seconds"])])
    fit = f"The fit after {config.epochs * config.steps_per_epoch} steps of the model"
    bound = "The critic's bound, the divergence of the fit, the least of any Gaussian, as published"
    of_fit = ["fitted by", "mean", "best", "publ.", "sd", "best", "publ."]
    of_bound = ["divergence", "bound", "of the fit", "least", "publ.", "infinite for", "s"]
    return [
        wb.Table(f"{fit}, the best by quadrature, as published", of_fit, fits),
        wb.Table(bound, of_bound, bounds),
    ]


if __name__ == "__main__":
    wb.main(Config, run)
