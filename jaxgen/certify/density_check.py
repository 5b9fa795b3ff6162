"""Whether a density is one: sum or integral, sampling law, causality, determinants, finiteness."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Int

from jaxgen.array_checks import arrays
from jaxgen.certify.density_laws import (
    HINTS,
    Bounds,
    Values,
    causality,
    determinants,
    sampling,
    scores,
    support,
)
from jaxgen.certify.finding import DensityReport
from jaxgen.certify.scored import Scored
from jaxgen.checks import at_least, between_0_and_1
from jaxgen.models import Density
from jaxgen.numerics import highest_precision
from jaxgen.types import Key, Params


def check_density(density: Density, params: Params, key: Key, **settings: Any) -> DensityReport:
    """Returns the report of `density_report`, of the same arguments, if no law is broken.

    Raises:
      ValueError: naming each law that is broken, with the numbers; or what `density_report` raises.
    Example:
      >>> normal = lambda params, context: distrax.Normal(params, 1.0)
      >>> print(check_density(Density(lambda key, context: 0.0, normal), 2.0, jax.random.key(0)))
    """
    report = density_report(density, params, key, **settings)
    if report.failures:
        broken = "; ".join(f"{of.law}: {of.measured}" for of in report.failures)
        raise ValueError(f"density: got one that breaks {broken}; expected none broken")
    return report


@highest_precision
def density_report(
    density: Density,
    params: Params,
    key: Key,
    *,
    context: Any = (),
    values: Values | None = None,
    bounds: Bounds | None = None,
    order: Int[Array, "..."] | np.ndarray | None = None,
    num_draws: int = 20_000,
    false_alarm: float = 1e-6,
) -> DensityReport:
    """Returns which laws of a distribution p(. | context) are seen to hold.

    Always: log probabilities in float32 or wider, and they and their gradients finite; draws scored
    alike while drawn and afterwards, and drawn where they may be. Where it applies:

    - *normalization*: the sum over all events is one, if there are at most 65,536; the integral of
      a density in one or two dimensions, by quadrature that follows the modes;
    - *sampling*: Pearson's test of the draws against those events' or cells' probabilities; in more
      dimensions, that a Metropolis move of each draw leaves them as they are;
    - *causality*, of a distribution with `conditionals`: what they say of an entry depends on no
      later one and not on itself. How many of the earlier ones there is a path from is reported;
    - *inverse* and *log determinants*, of a distribution with a `bijector`.

    A constant factor in many dimensions cannot be seen, nor a wrong weight of far modes there: have
    the density checked in a small size too.

    Args:
      params: at which it is checked. At its start a net may say nothing: check trained or random
        params too.
      context: that of `density.distribution`.
      values: what each entry of an event may be; a density over the reals if not given.
      bounds: of each entry, where the density has no support beyond; all reals if not given.
      order: at which step each entry is drawn, of the event's shape; as they lie if not given.
      num_draws: to test the sampling with, at least 4,000.
      false_alarm: chance that the test of sampling rejects what is right.
    Raises:
      ValueError: num_draws is too small, false_alarm is no probability, values has not two distinct
        numbers, bounds do not rise, or both are given; order is not of the event's size.
    Example:
      >>> coin = lambda params, context: distrax.Bernoulli(logits=params)
      >>> density_report(
      ...     Density(lambda key, context: 0.3, coin), 0.3, jax.random.key(0), values=(0, 1)
      ... )
    """
    arrays("params", params)
    at_least("num_draws", num_draws, 2 * HINTS)
    between_0_and_1("false_alarm", false_alarm)
    if values is not None and (len(values) < 2 or len(np.unique(values)) < len(values)):
        raise ValueError(f"values: got {values}, expected two or more distinct numbers")
    if bounds is not None and (values is not None or not bounds[0] < bounds[1]):
        raise ValueError(f"bounds: got {bounds}, expected none with values, or a rising pair")
    key_draw, key_move = jax.random.split(key)
    p = Scored(density, params, context)
    xs, told = p.draw(key_draw, num_draws + HINTS)
    if order is not None and np.size(order) != xs[0].size:
        raise ValueError(f"order: got {np.size(order)} steps, expected {xs[0].size}, one an entry")
    findings = [*scores(p, xs, told), support(xs, values, bounds)]
    if findings[-1].holds:
        findings += sampling(p, xs, key_move, values, bounds, false_alarm)
    if hasattr(p.example, "conditionals"):
        findings.append(causality(density, params, context, xs[0], order))
    if hasattr(p.example, "bijector"):
        findings += determinants(density, params, context, key_draw)
    return DensityReport(tuple(findings))
