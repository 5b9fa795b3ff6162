"""What every bound lacks of log p(x), in image space, where log p(x) is known.

A frozen VAE of digits with two latents (`jaxgen.certify.frozen_vae`) draws images, and quadrature
over the plane gives log p(x) of each. Against it: ELBO, IWAE, Rényi's bound at 1/2, chi's and
VR-max, of K samples of the encoder; and annealed importance sampling (AIS) from both sides. ELBO,
Rényi's and IWAE lie below log p(x) on average. From the same samples they rise in this order, then
chi's and VR-max, which for K samples bound nothing. AIS holds log p(x) between its ends, the closer
the more temperatures.

  python -m experiments true_gaps

Expect (one seed, 200 images) an ELBO 2.45 nats below log p(x) (standard error .27), IWAE 1.56 to
.62 below for K = 4 to 256, chi's bound across it at K = 64, VR-max 2.85 above at K = 256, and AIS
of 80 temperatures from .05 below to .07 above. 40 seconds of CPU time.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxgen import workbench as wb
from jaxgen.bounds import BOUNDS, Bound
from jaxgen.certify import frozen_vae, log_prob_by_quadrature, simulate
from jaxgen.inference import bidirectional_bounds, linear_temperatures
from jaxgen.models import observe
from jaxgen.objectives import log_importance_weights
from jaxgen.pictures import INK, panels, side_by_side
from jaxgen.types import Key, Params

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {"elbo": "ELBO", "renyi": "Rényi 1/2", "iwae": "IWAE", "chi": "chi", "vr-max": "VR-max"}
"""In the order in which they must rise, whatever the samples."""
BELOW = ("elbo", "renyi", "iwae")
AIS = {"lower": "AIS, lower", "upper": "AIS, upper"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(wb.RunConfig):
    """How many images, and how much is spent on each."""

    images: Annotated[int, wb.AtLeast(2)] = 200
    """Drawn from the frozen VAE."""
    samples: Annotated[tuple[wb.Count, ...], wb.RISING] = (1, 4, 16, 64, 256)
    """K, of importance samples in a bound."""
    sets: wb.Count = 8
    """Of as many samples as the largest K, over which bounds are averaged."""
    temperatures: Annotated[tuple[wb.Count, ...], wb.RISING] = (5, 20, 80)
    """Of AIS."""
    chains: wb.Count = 4
    """Of AIS, in each direction, of every image."""
    points: Annotated[int, wb.AtLeast(50)] = 500
    """Of the quadrature, in each latent; nine tenths as many tell its error."""


def run(config: Config) -> dict[str, Any]:
    """Measures every bound; returns what result.json holds."""
    out = wb.begin(config)
    model, params = frozen_vae()
    key_draw, key_bounds, key_ais = config.keys(3)
    z, x = simulate(key_draw, model, params, config.images)
    exact, coarser = (
        log_prob_by_quadrature(model, params, x, points=points)
        for points in (config.points, config.points * 9 // 10)
    )

    def bounds(params: Params, key: Key, of: tuple[Array, Array]) -> tuple[Array, Array]:
        x, log_px = of
        at = observe(model, params, x)
        pool = config.sets * max(config.samples)
        errors = log_importance_weights(key, at.log_joint, at.q, pool) - log_px
        found = jnp.stack(
            [
                jnp.stack([mean_bound(BOUNDS[name], errors, k) for k in config.samples])
                for name in NAMES
            ]
        )
        return found, jnp.all(jnp.diff(found, axis=0) > -1e-3)  # of rounding

    def ais(count: int, params: Params, key: Key, of: tuple[Array, ...]) -> Array:
        z, x, log_px = of
        at = observe(model, params, x)
        steps = wb.hamiltonian(wb.encoded_phi(model, params, x))
        found = bidirectional_bounds(
            key, z, at.log_joint, at.q, steps, linear_temperatures(count), config.chains
        )
        return jnp.stack([found.lower, found.upper]) - log_px

    gaps, ordered = wb.image_by_image(bounds, batch_size=20)(params, key_bounds, (x, exact))
    brackets = [
        wb.image_by_image(partial(ais, count), batch_size=100)(
            params, jax.random.fold_in(key_ais, count), (z, x, exact)
        )
        for count in config.temperatures
    ]
    every = dict(zip(NAMES, np.asarray(gaps, float).transpose(1, 0, 2), strict=True))
    every |= dict(zip(AIS, np.asarray(brackets, float).transpose(2, 1, 0), strict=True))
    means = {name: [wb.mean_over_images(column) for column in of.T] for name, of in every.items()}
    result = {
        "log_px": float(jnp.mean(exact)),
        "quadrature_error": float(jnp.max(jnp.abs(exact - coarser))),
        "gaps": {name: [mean.value for mean in of] for name, of in means.items()},
        "stderrs": {name: [mean.stderr for mean in of] for name, of in means.items()},
        "ordered": bool(jnp.all(ordered)),
    }
    figures = {"gaps": draw(config, result), "draws": side_by_side({"x": x[:40]}, columns=20)}
    return out.finish(result, figures, tables(config, result), notes(result))


def mean_bound(bound: Bound, errors: Array, count: int) -> Array:
    """Returns the mean of a bound over sets of `count` of the log weights, less log p(x)."""
    sets = errors[: len(errors) // count * count].reshape(-1, count)
    return jnp.mean(jax.vmap(bound)(sets))


def draw(config: Config, result: dict[str, Any]) -> Figure:
    """Returns each bound less log p(x) against what was spent on it, with two standard errors."""
    figure, (left, right) = panels(["of K samples", "of annealing"], columns=2, size=(4.2, 3.4))
    for axes, names, counts in (
        (left, NAMES, config.samples),
        (right, AIS, config.temperatures),
    ):
        for name, label in names.items():
            gaps, errors = result["gaps"][name], 2 * np.asarray(result["stderrs"][name])
            axes.errorbar(counts, gaps, errors, marker="o", ms=4, capsize=3, label=label)
        axes.axhline(0, color=INK, lw=1.2, ls="--")
        axes.set_xscale("log", base=2)
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize=8)
    left.set_xlabel("K", color=INK)
    right.set_xlabel("temperatures", color=INK)
    left.set_ylabel("bound - log p(x) (nats per image)", color=INK)
    return figure


def tables(config: Config, result: dict[str, Any]) -> list[wb.Table]:
    """Returns each bound less log p(x)."""

    def of(title: str, names: dict[str, str], counts: tuple[int, ...]) -> wb.Table:
        pairs = {n: zip(result["gaps"][n], result["stderrs"][n], strict=True) for n in names}
        rows = [[names[n], *(f"{gap:.3f} ± {error:.3f}" for gap, error in pairs[n])] for n in names]
        return wb.Table(title, ["bound", *map(str, counts)], rows)

    return [
        of("Bound of K samples less log p(x), nats per image; K", NAMES, config.samples),
        of("AIS less log p(x), nats per image; temperatures", AIS, config.temperatures),
    ]


def notes(result: dict[str, Any]) -> list[str]:
    """Returns how exact the truth is, and whether all lie where they must."""
    rises = "rise in this order" if result["ordered"] else "DO NOT RISE in this order"
    return [
        f"log p(x) by quadrature: {result['log_px']:.3f} nats on average, each within "
        f"{result['quadrature_error']:.4f}; the bounds of each image {rises}"
    ]


if __name__ == "__main__":
    wb.main(Config, run)
