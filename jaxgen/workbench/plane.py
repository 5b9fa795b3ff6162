"""Games on a mixture of Gaussians in the plane: the targets, and how a generator covers them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.distributions import IsotropicMixture, grid, ring
from jaxgen.metrics import duplicate_share, mode_coverage
from jaxgen.models import Gan, gan
from jaxgen.nets import MLPCritic, MLPGenerator
from jaxgen.two_sample import nearest_neighbor_test
from jaxgen.values import ByName
from jaxgen.workbench.run import Table
from jaxgen.workbench.summary import mean_over_seeds

TARGETS: Mapping[str, Callable[[], IsotropicMixture]] = ByName(
    "target", {"ring": ring, "grid": grid}
)
"""Eight Gaussians (radius 2, scale .02), or 25 (spacing 2, scale .05)."""

COLLAPSE: Mapping[str, str] = ByName(
    "number",
    {
        "covered": "modes covered",
        "entropy": "entropy of the modes, of the greatest",
        "reverse_kl": "reverse KL of the histogram, nats",
        "high_quality": "share within 3 standard deviations",
        "duplicates": "share of duplicates among 500",
        "told_apart": "told from reals by the nearest neighbor",
        "p_value": "p-value of that, no different",
    },
)
"""What `collapse` returns, in words."""

TESTED = 1000
"""Samples, and as many reals, of the two-sample test: half are held out."""


def plane_gan(latent_size: int, *, critic: tuple[int, ...] = (128,), packing: int = 1) -> Gan:
    """Returns the model of two ReLU MLPs with orthogonal kernels, the generator's of two layers.

    Args:
      latent_size: dimensions of z.
      critic: widths of the critic's hidden layers; it sees a fourth of each coordinate.
      packing: samples that the critic judges together.
    Example:
      >>> generator, critic = jax.eval_shape(plane_gan(256).init, jax.random.key(0))  # shapes alone
    Source: Metz et al. (2017), "Unrolled generative adversarial networks", appendix A.
    """
    kernel_init = nn.initializers.orthogonal(0.8)
    return gan(
        MLPGenerator((128, 128), (2,), kernel_init=kernel_init),
        MLPCritic(critic, kernel_init=kernel_init, input_scale=0.25),
        latent_size=latent_size,
        x_shape=(2,),
        packing=packing,
    )


def coverage(
    target: IsotropicMixture, samples: Float[Array, "n 2"]
) -> dict[str, Float[Array, ""] | Array]:
    """Returns how samples fall on the modes; the entropy as a share of the greatest.

    Example:
      >>> coverage(ring(), ring().modes)["covered"]  # of 8
      Array(8, dtype=int32)
    """
    found = mode_coverage(samples, target.modes, target.scales)
    return {
        "covered": found.covered,
        "entropy": found.evenness,
        "high_quality": found.high_quality,
    }


def collapse(
    target: IsotropicMixture, samples: Float[Array, "seeds n 2"], reals: Float[Array, "n 2"]
) -> dict[str, Float[Array, "seeds"]]:
    """Returns the report of `COLLAPSE` of every seed's samples.

    `told_apart` is how often held-out samples are told from reals by the nearest neighbor, 1/2 at
    best, and `p_value` that of the test by it.

    Example:
      >>> fakes, reals = jnp.zeros((3, 20, 2)), jnp.zeros((20, 2))  # of three seeds
      >>> found = jax.eval_shape(partial(collapse, ring()), fakes, reals)  # shapes alone
      >>> found["p_value"].shape, found.keys() == COLLAPSE.keys()
      ((3,), True)
    """

    def one(samples: Float[Array, "n 2"]) -> dict[str, Array]:
        found = mode_coverage(samples, target.modes, target.scales)
        apart = nearest_neighbor_test(reals[:TESTED], samples[:TESTED])
        return {
            "entropy": found.evenness,
            "covered": found.covered.astype(jnp.float32),
            "high_quality": found.high_quality,
            "reverse_kl": found.reverse_kl,
            "duplicates": duplicate_share(samples[:500], 0.01 * target.scales[0]),
            "told_apart": apart.statistic,
            "p_value": apart.p_value,
        }

    return jax.vmap(one)(samples)


def report_seeds(
    target: IsotropicMixture,
    samples: Float[Array, "seeds n 2"],
    reals: Float[Array, "n 2"],
    others: Float[Array, "n 2"],
    title: str,
) -> tuple[dict[str, Any], Table]:
    """Returns the collapse report of every seed, its mean with a 95% interval, and the data's own.

    Args:
      samples: of each seed's generator.
      reals: to compare with.
      others: more reals, in the place of samples: what a perfect generator would score.
      title: of the table.
    Example:
      >>> report = partial(report_seeds, ring(), title="plain")  # of (samples, reals, others)
    """
    found, data = (jax.device_get(collapse(target, of, reals)) for of in (samples, others[None]))
    means = {name: mean_over_seeds(values) for name, values in found.items()}
    result = {
        "modes": len(target.modes),
        "of_seeds": found,
        "means": {name: mean.value for name, mean in means.items()},
        "half_widths": {name: mean.half_width for name, mean in means.items()},
        "of_reals": {name: values[0] for name, values in data.items()},
    }
    rows = [
        [label, *map(float, (*found[name], means[name].value, data[name][0]))]
        for name, label in COLLAPSE.items()
    ]
    columns = ["", *(f"seed {i}" for i in range(len(samples))), "mean", "data"]
    return result, Table(f"{title}, of {len(target.modes)} modes", columns, rows)
