"""Normalizing flows: densities of data that layers of bijectors turn into noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import distrax
import jax

from jaxgen.distributions import ScalarTransform, Transformed
from jaxgen.models.density import Density
from jaxgen.models.flow_layers import (
    FlowLayer,
    autoregressive_layers,
    chain,
    coupling_layers,
    fixed,
    init_layers,
    shape_after,
)
from jaxgen.models.networks import AnyNet
from jaxgen.models.priors import standard_normal
from jaxgen.types import Key, Params


def flow(
    noise: Density, layers: Sequence[FlowLayer], x_shape: tuple[int, ...] | None = None
) -> Density:
    """Returns p(x) = noise(f(x)) |det df/dx|, f the layers one after another, the first on x.

    A log probability takes one pass of every net; a draw of `autoregressive_layer` takes a fixed
    point. No key reaches a net: a draw of dropout that changed from call to call would leave no
    bijection. Params: `noise` and `layers`.

    Args:
      noise: over what the layers make of x, in the same context.
      layers: from x to noise.
      x_shape: of one datapoint, for checks; found by tracing the way from noise if not given.
    Raises:
      ValueError: in use, x has another shape, or is of bytes.
    Example:
      >>> layers = coupling_layers(lambda shape: MLP((8,), shape), affine(), (2,), 2)
      >>> density = flow(standard_normal(2), layers)  # from x to noise
      >>> params = density.init(jax.random.key(0), ())
      >>> p = density.distribution(params, ())
      >>> x, log_px = p.sample_and_log_prob(seed=jax.random.key(1))
    Source: Rezende & Mohamed (2015); Papamakarios et al. (2021), "Normalizing flows for
    probabilistic modeling and inference", section 2.
    """
    layers = list(layers)

    def init(key: Key, context: Any) -> Params:
        key_noise, key_layers = jax.random.split(key)
        return {
            "noise": noise.init(key_noise, context),
            "layers": init_layers(layers, key_layers, context),
        }

    def distribution(params: Params, context: Any) -> Transformed:
        to_noise = chain(layers, params["layers"], context)
        of_noise = noise.distribution(params["noise"], context)
        return Transformed(of_noise, distrax.Inverse(to_noise), x_shape)

    return Density(init, distribution)


def coupling_flow(
    conditioner: Callable[[tuple[int, ...]], AnyNet],
    transform: ScalarTransform,
    x_shape: tuple[int, ...],
    num_layers: int,
    *,
    data: Sequence[distrax.Bijector] = (),
) -> Density:
    """Returns the flow of couplings from x to N(0, I): Real NVP, or a neural spline flow.

    Scoring and drawing take one pass of every net.

    Args:
      conditioner: a shape to the net whose output has it; see `coupling_layer`.
      transform: `affine()` or `rational_quadratic_spline(16)`.
      x_shape: of one datapoint.
      num_layers: couplings.
      data: what comes before them, first to last: for images `[logit(), Squeeze()]`. They are part
        of the density, whose log probability is that of x itself.
    Raises:
      ValueError: num_layers is below one, or there is nothing to split; at init, a net's output is
        not one array of its shape, or it keeps collections beside its params.
    Example:
      >>> density = coupling_flow(lambda shape: MLP((8,), shape), affine(), (2,), 2)
      >>> params = density.init(jax.random.key(0), ())
      >>> nll = -density.distribution(params, ()).log_prob(jnp.zeros(2))  # nats, to be lowered
    Source: Dinh et al. (2017); Durkan et al. (2019).
    """
    shape = shape_after(data, x_shape)
    layers = coupling_layers(conditioner, transform, shape, num_layers)
    return flow(standard_normal(shape), [*map(fixed, data), *layers], tuple(x_shape))


def autoregressive_flow(
    net: Callable[[int], AnyNet],
    transform: ScalarTransform,
    x_shape: tuple[int, ...],
    num_layers: int,
    *,
    data: Sequence[distrax.Bijector] = (),
) -> Density:
    """Returns the masked autoregressive flow from x to N(0, I), MAF: exact, and quick to score.

    A draw takes a fixed point of every layer: as many passes as entries at most.

    Args:
      net: numbers per entry to a causal net; see `autoregressive_layer`.
      transform: `affine()` or `rational_quadratic_spline(16)`.
      x_shape: of one datapoint.
      num_layers: that many nets, each with the order of the entries turned round.
      data: what comes before them, as in `coupling_flow`.
    Raises:
      ValueError: num_layers is below one; at init, as `coupling_flow`.
    Example:
      >>> density = autoregressive_flow(lambda outputs: MADE((8,), outputs), affine(), (2,), 2)
      >>> params = density.init(jax.random.key(0), ())
      >>> nll = -density.distribution(params, ()).log_prob(jnp.zeros(2))  # nats, to be lowered
    Source: Papamakarios et al. (2017), "Masked autoregressive flow for density estimation".
    """
    shape = shape_after(data, x_shape)
    layers = autoregressive_layers(net, transform, shape, num_layers)
    return flow(standard_normal(shape), [*map(fixed, data), *layers], tuple(x_shape))
