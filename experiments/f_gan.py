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
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.scipy.special import ndtri
from jaxtyping import Array, Float
from scipy import optimize, stats

from jaxgen.checks import at_least, one_of
from jaxgen.divergences import DIVERGENCES
from jaxgen.models import Gan, gan
from jaxgen.objectives import activated_f_gan, f_gan, game_losses
from jaxgen.pictures import INK, legend_below, panels, plot
from jaxgen.train import Game, data_mesh, game_update, init_game, replicate, scan_draws
from jaxgen.types import Info, Key, Scalar
from jaxgen.workbench import (
    RunDirectory,
    TrainingConfig,
    fit,
    main,
    new_path,
    open_run,
    print_table,
    require_devices,
    tensorboard,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WEIGHTS, MEANS, VARIANCES = np.array([0.33, 0.67]), np.array([-1.0, 2.0]), np.array([0.065, 2.0])
START = (0.0, 1.5)
"""Mean and sd before training: every divergence is finite there."""
GRID = np.linspace(-30.0, 30.0, 15_001)
DX = GRID[1] - GRID[0]
ORDERS = {"pearson": 2.0, "neyman": -1.0, "alpha": 1.5}
"""The a of divergences that are E_q (p/q)^a but for constants: the integral of p^a q^(1 - a) is
finite between Gaussians only if a sd_q² + (1 - a) sd_p² > 0. The others are finite for any sd."""
ACTIVATED = ("total_variation", "pearson")
"""Trained through the activations of f-GAN. The canonical bound of total variation is a step in
the critic's output, without a gradient; Pearson's critic then learns 2 (p/q - 1) by least squares,
and its bound is five times as tight after as many steps."""
SATURATION = 0.003
"""Weight on the squared outputs of total variation's critic, which would otherwise learn its sign
function so well that it has no slope left to learn from, nor the model."""


class Fit(NamedTuple):
    """A Gaussian, and its divergence from the data."""

    mean: float
    sd: float
    divergence: float


PUBLISHED = {
    "kl": Fit(1.0100, 1.8307, 0.2831),
    "reverse_kl": Fit(1.5781, 1.6312, 0.2482),
    "jensen_shannon": Fit(1.3068, 1.7540, 0.1281),
    "jeffrey": Fit(1.3216, 1.7029, 0.5708),
    "pearson": Fit(0.5737, 1.9273, 0.6458),
}
"""The best fits as Nowozin et al. (2016) print them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(TrainingConfig):
    """Which divergences, and how long each is trained."""

    divergences: tuple[str, ...] = tuple(DIVERGENCES)
    """To fit by, one training each."""
    epochs: int = 20
    """How often the fit is looked at."""
    steps_per_epoch: int = 50
    """Steps of the model in each."""
    batch_size: int = 1024
    """Reals, and as many fakes, per step of either player."""
    learning_rate: float = 1e-2
    """Of both players' Adam (b1 = .5), down to a hundredth along half a cosine."""
    critic_steps: int = 5
    """Of the critic per step of the model."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.divergences:
            one_of("divergences", name, DIVERGENCES)
        if not self.divergences or len(set(self.divergences)) < len(self.divergences):
            raise ValueError(
                f"divergences: got {self.divergences}, expected one or more, each once"
            )
        for name in ("steps_per_epoch", "critic_steps"):
            at_least(name, getattr(self, name), 1)


class Normal(nn.Module):
    """The model: mean + sd z, of two parameters."""

    @nn.compact
    def __call__(self, z: Float[Array, "batch 1"], *, train: bool) -> Float[Array, "batch 1"]:
        """Moves and stretches standard normal draws."""
        mean = self.param("mean", nn.initializers.constant(START[0]), ())
        log_sd = self.param("log_sd", nn.initializers.constant(math.log(START[1])), ())
        return mean + jnp.exp(log_sd) * z


class Critic(nn.Module):
    """A small tanh MLP of x and x²: between Gaussians the log ratio is linear in the two."""

    @nn.compact
    def __call__(self, x: Float[Array, "batch 1"], *, train: bool) -> Float[Array, "batch"]:
        """Maps samples to raw outputs."""
        features = jnp.concatenate([2 * x, x**2 / 2], axis=1)
        for _ in range(2):
            features = nn.tanh(nn.Dense(32)(features))
        return nn.Dense(1)(features)[:, 0]


def run(config: Config) -> dict[str, Any]:
    """Fits by every divergence of `config`; returns what result.json holds, by their names."""
    require_devices(config.devices)
    model = gan(Normal(), Critic(), latent_size=1, x_shape=(1,))
    model = model._replace(sample_latent=lambda key, count: ndtri(strata(key, count))[:, None])
    out = open_run(config.run_dir or new_path("f_gan"), config, resume=config.resume)
    print(f"run directory: {out.path}")
    result: dict[str, Any] = {}
    histories = {}
    for name in config.divergences:
        with out.part(name) as part:
            learned = train(config, model, name, part)
        best = optimum(name)
        result[name] = {
            **learned,
            "divergence": exact(name, learned["mean"], learned["sd"]),
            "best": best._asdict(),
            "seconds": part.metrics()[-1]["seconds"],
        }
        histories[name] = part.metrics()
    for of in result.values():
        of["judged_by"] = {other: exact(other, of["mean"], of["sd"]) for other in result}
    out.write_result(result)
    figures = {
        "densities": draw_densities(result),
        "bounds": draw_bounds(config, result, histories),
        "judged_by": draw_judgements(result),
    }
    pictures = [str(out.save_picture(name, figure)) for name, figure in figures.items()]
    report(config, result, out, pictures)
    return result


def train(config: Config, model: Gan, name: str, part: RunDirectory) -> dict[str, float]:
    """Returns what the game of one divergence ends with: mean, sd and bound."""
    key_init, key_fit = jax.random.split(jax.random.key(config.seed))
    steps, rate = config.epochs * config.steps_per_epoch, config.learning_rate
    # The critic comes first: the model waits for its advice.
    generator_optimizer = optax.adam(
        optax.warmup_cosine_decay_schedule(0.0, rate, steps // 10, steps, rate / 100), b1=0.5
    )
    critic_optimizer = optax.adam(
        optax.cosine_decay_schedule(rate, steps * config.critic_steps, 0.01), b1=0.5
    )
    loss = (activated_f_gan if name in ACTIVATED else f_gan)(DIVERGENCES[name])
    held_back = name == "total_variation"
    losses = game_losses(
        model,
        loss,
        penalty=squared_outputs if held_back else None,
        penalty_weight=SATURATION if held_back else 0.0,
    )
    mesh = data_mesh(config.devices)
    update = game_update(
        losses,
        generator_optimizer,
        critic_optimizer,
        critic_steps=config.critic_steps,
        ema_decay=0.99,
        mesh=mesh,
    )
    draws = scan_draws(
        update,
        lambda key: draw_data(key, config.batch_size * config.critic_steps),
        config.steps_per_epoch,
    )

    @jax.jit
    def start(key: Key) -> Game:
        return init_game(key, model, generator_optimizer, critic_optimizer, ema=True)

    @partial(jax.jit, donate_argnums=0)
    def one_epoch(game: Game, key: Key) -> tuple[Game, Info]:
        return draws(game, key)

    @jax.jit
    def outputs(critic: Any) -> Float[Array, "points"]:
        return model.criticize(critic, jnp.asarray(GRID, jnp.float32)[:, None], train=False)[0]

    def validate(used: Any) -> dict[str, float]:
        params = jax.device_get(used["generator"]["params"])
        mean, sd = float(params["mean"]), math.exp(params["log_sd"])
        v = np.asarray(outputs(used["critic"]), np.float64)
        return {"mean": mean, "sd": sd, "bound": bound(name, mean, sd, v)}

    used = fit(
        part,
        replicate(start(key_init), mesh),
        lambda game, key, index: one_epoch(game, key),
        validate,
        key=key_fit,
        epochs=config.epochs,
        monitor="bound",
        evaluated=lambda game: {
            "generator": game.generator.averaged,
            "critic": game.critic.variables,
        },
        watch=tensorboard(part.path) if config.tensorboard else None,
    )
    return validate(used)


def strata(key: Key, count: int) -> Float[Array, "count"]:
    """Returns uniform draws, one in each of as many equal shares of (0, 1).

    Averages over such a batch have the same mean and far less noise. At the best fit of Pearson the
    gradient of independent draws is noise, and a thousand steps leave the mean 2% off.
    """
    shares = (jnp.arange(count) + jax.random.uniform(key, (count,))) / count
    return jnp.clip(shares, 1e-7, 1 - 1e-7)  # rounded to 0 or 1, their quantile would be infinite


def draw_data(key: Key, count: int) -> Float[Array, "count 1"]:
    """Returns draws of p in strata: the lowest shares are the first component's."""
    u, first = strata(key, count), WEIGHTS[0]
    below = u < first
    quantile = ndtri(
        jnp.clip(jnp.where(below, u / first, (u - first) / WEIGHTS[1]), 1e-7, 1 - 1e-7)
    )
    scales = jnp.sqrt(VARIANCES)
    x = jnp.where(below, MEANS[0] + scales[0] * quantile, MEANS[1] + scales[1] * quantile)
    return x[:, None]


def squared_outputs(key: Key, critic: Callable[[Array], Array], real: Array, fake: Array) -> Scalar:
    """Returns the squares of the critic's outputs, which hold it back from saturation."""
    return critic(real) ** 2 + critic(fake) ** 2


def log_data() -> Float[np.ndarray, "points"]:
    """Returns log p on the grid."""
    return np.logaddexp(
        *(np.log(WEIGHTS) + stats.norm.logpdf(GRID[:, None], MEANS, VARIANCES**0.5)).T
    )


def bound(name: str, mean: float, sd: float, v: Float[np.ndarray, "points"]) -> float:
    """Returns the lower bound that a critic's outputs on the grid give, in float64.

    It is E_p g_c(v) - E_q h_c(v), v the log ratio at best, but for Pearson, whose v is a t. (The
    sign that total variation's canonical pair takes of v needs no gradient here.)
    """
    d = DIVERGENCES[name]
    of_p, of_q = (
        (d.activation, d.activated_conjugate)
        if name == "pearson"
        else (d.canonical, d.canonical_conjugate)
    )
    p, q = np.exp(log_data()), stats.norm.pdf(GRID, mean, sd)
    with jax.enable_x64(True):
        t, conjugate = np.asarray(of_p(jnp.asarray(v))), np.asarray(of_q(jnp.asarray(v)))
    return DX * float(np.sum(p * t - q * conjugate))


def exact(name: str, mean: float, sd: float) -> float:
    """Returns D_f(p || N(mean, sd²)) by quadrature in float64, inf where it is infinite."""
    if not is_finite(name, sd):
        return math.inf
    log_p, log_q = log_data(), stats.norm.logpdf(GRID, mean, sd)
    q = np.exp(log_q)
    with jax.enable_x64(True):
        f = np.asarray(DIVERGENCES[name].f(jnp.exp(jnp.asarray(log_p - log_q))))
    # Where q underflows, p is too small to count.
    return DX * float(np.sum(q * np.where(q > 0, f, 0.0)))


def is_finite(name: str, sd: float) -> bool:
    """Returns whether the divergence from a Gaussian of that sd is finite: see `ORDERS`."""
    order = ORDERS.get(name)
    return order is None or order * sd**2 + (1 - order) * max(VARIANCES) > 0


def infinite_where(name: str) -> str:
    """Returns for which sd the divergence is infinite, in words."""
    order = ORDERS.get(name)
    if order is None:
        return "nowhere"
    edge = math.sqrt((order - 1) / order * max(VARIANCES))
    return f"sd {'<=' if order > 0 else '>='} {edge:.3g}"


def optimum(name: str) -> Fit:
    """Returns the Gaussian closest to the data, by a simplex search over quadratures."""
    found = optimize.minimize(
        lambda at: exact(name, at[0], math.exp(at[1])),
        (START[0], math.log(START[1])),
        method="Nelder-Mead",
        options={"xatol": 1e-6, "fatol": 1e-9},
    )
    return Fit(float(found.x[0]), math.exp(found.x[1]), float(found.fun))


def draw_densities(result: Mapping[str, Any]) -> Figure:
    """Returns every fit over the data's density, the best one dashed."""
    names = [DIVERGENCES[name].name for name in result]
    figure, axes = panels(names, columns=4, size=(2.6, 2.1), sharex=True, sharey=True)
    seen = (GRID > -4) & (GRID < 7)
    x = GRID[seen]
    for each, of in zip(axes, result.values(), strict=True):
        each.fill_between(x, np.exp(log_data())[seen], color="#d9d9d9", lw=0, label="data")
        each.plot(x, stats.norm.pdf(x, of["mean"], of["sd"]), color="C2", lw=2.2, label="learned")
        best = stats.norm.pdf(x, of["best"]["mean"], of["best"]["sd"])
        each.plot(x, best, "--", color="black", lw=1.0, label="best, by quadrature")
        text = f"mean {of['mean']:.3f}\nsd {of['sd']:.3f}"
        each.text(0.98, 0.95, text, transform=each.transAxes, ha="right", va="top", fontsize=7.5)
    axes[0].set(xlim=(-4, 7), ylim=(0, None))
    legend_below(figure, axes[0])
    return figure


def draw_bounds(
    config: Config, result: Mapping[str, Any], histories: Mapping[str, list[dict[str, Any]]]
) -> Figure:
    """Returns the bound of every game on its way to the least divergence."""
    names = [DIVERGENCES[name].name for name in result]
    figure, axes = panels(names, columns=4, size=(2.6, 2.1), sharex=True)
    for each, (name, of) in zip(axes, result.items(), strict=True):
        records, best = histories[name], of["best"]["divergence"]
        steps = [r["epoch"] * config.steps_per_epoch for r in records]
        exactly = [exact(name, r["validation_mean"], r["validation_sd"]) for r in records]
        each.axhline(best, ls="--", color="black", lw=1.0, label="least, by quadrature")
        each.plot(steps, exactly, color="C1", lw=1.5, label="divergence of the model then")
        bounds = [r["validation_bound"] for r in records]
        each.plot(steps, bounds, color="C0", lw=1.5, label="the critic's bound")
        late = [*bounds[len(bounds) // 4 :], best]
        margin = max(0.3 * (max(late) - min(late)), 0.05 * abs(best))
        each.set_ylim(min(late) - margin, max(late) + margin)
        each.tick_params(labelsize=7)
    figure.supxlabel("step of the generator", color=INK, fontsize=9)
    legend_below(figure, axes[0])
    return figure


def draw_judgements(result: Mapping[str, Any]) -> Figure:
    """Returns how far each fit is from the best under every divergence, in per cent."""
    # GAN is not zero between equals; what counts is the way from there.
    excess = np.array(
        [
            [
                100 * (of["judged_by"][other] - result[other]["best"]["divergence"])
                / (result[other]["best"]["divergence"] - DIVERGENCES[other].at_one)
                for other in result
            ]
            for of in result.values()
        ]
    )  # fmt: skip
    names = [DIVERGENCES[name].name for name in result]
    size = 0.58 * len(names) + 2.2
    title = "Above the least divergence, %"
    figure, axes = plot(title, "judged by", "fitted by", size=(size + 0.6, size))
    axes.imshow(
        np.log10(np.clip(np.nan_to_num(excess, posinf=1e3), 0.1, 1e3)), cmap="Blues", vmax=2.6
    )
    for (row, column), value in np.ndenumerate(excess):
        text = "inf" if math.isinf(value) else f"{max(value, 0):.{0 if value >= 10 else 1}f}"
        axes.text(column, row, text, ha="center", va="center", fontsize=7,
                  color="white" if value > 60 else INK)  # fmt: skip
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def report(config: Config, result: dict[str, Any], out: RunDirectory, pictures: list[str]) -> None:
    """Prints the learned fits and bounds beside the exact ones, and where everything is."""
    fits, bounds = [], []
    for name, of in result.items():
        best, label = of["best"], DIVERGENCES[name].name
        published = PUBLISHED.get(name)
        fits.append([
            label, of["mean"], best["mean"], published.mean if published else "",
            of["sd"], best["sd"], published.sd if published else "",
        ])  # fmt: skip
        bounds.append([
            label, of["bound"], of["divergence"], best["divergence"],
            published.divergence if published else "", infinite_where(name), round(of["seconds"]),
        ])  # fmt: skip
    steps = config.epochs * config.steps_per_epoch
    print_table(
        f"The fit after {steps} steps of the model, the best by quadrature, as published",
        ["fitted by", "mean", "best", "publ.", "sd", "best", "publ."],
        fits,
    )
    print_table(
        "The critic's bound, the divergence of the fit, the least of any Gaussian, as published",
        ["divergence", "bound", "of the fit", "least", "publ.", "infinite for", "s"],
        bounds,
    )
    print("pictures:", *pictures, sep="\n  ")
    print(f"everything: {out.path}")


if __name__ == "__main__":
    main(Config, run)
