"""A net that says a Gaussian and returns a draw of it, differentiable in what the net says."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxgen.nets import AnyNet, Net, as_net
from jaxgen.types import Key, Variables


def gaussian_net(net: AnyNet) -> Net:
    """Returns the net of batches that draws from N(mean(x), diag(scale(x))²): mean + scale · noise.

    The noise is drawn from the key of the call; without a key it is the mean.

    Args:
      net: to [n, 2, ...], the mean and the log scale.
    Raises:
      ValueError: when called, if the net's output is of another shape.
    Example:
      >>> net = gaussian_net(MLPGenerator((8,), (2, 3)))  # ALI's encoder, for `bigan`
      >>> x = jnp.zeros((5, 4))
      >>> variables = net.init(jax.random.key(0), x)
      >>> z, _ = net.apply(variables, x, key=jax.random.key(1))  # without a key, the mean
      >>> z.shape
      (5, 3)
    Source: Dumoulin et al. (2017), "Adversarially learned inference", section 2.
    """
    init, apply_net = as_net(net)

    def apply(
        variables: Variables, inputs: Any, /, *, key: Key | None = None, train: bool = False
    ) -> tuple[Array, Variables]:
        key_net, key_noise = (None, None) if key is None else jax.random.split(key)
        outputs, changed = apply_net(variables, inputs, key=key_net, train=train)
        if jnp.ndim(outputs) < 2 or outputs.shape[1] != 2:
            raise ValueError(
                f"net: got an output of shape {jnp.shape(outputs)}, expected (n, 2, ...), means "
                "and log scales"
            )
        mean, log_scale = outputs[:, 0], outputs[:, 1]
        if key_noise is None:
            return mean, changed
        noise = jax.random.normal(key_noise, mean.shape, mean.dtype)
        return mean + jnp.exp(log_scale) * noise, changed

    return Net(init, apply)
