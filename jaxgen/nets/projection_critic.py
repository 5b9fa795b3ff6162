"""The projection critic: how well a sample's features fit its class, added to how real it looks."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgen.checks import at_least
from jaxgen.nets.labeled import Labeled, one_hot
from jaxgen.nets.net import mode_of


class ProjectionCritic(nn.Module):
    """D(x, y) = net(x) + <V y, φ(x)>, φ(x) what the last dense layer of the net is given.

    The form that log p(x, y) - log q(x, y) has if the classes' log odds are linear in φ. Beside the
    net it learns one vector for each class.

    Attributes:
      net: a critic of samples alone, a linen module that ends with a `Dense`, in no `nn.jit` or
        `nn.remat`.
      num_classes: labels are integers below it; traced ones that are not have no vector.
      spectral_norm: divide V by its largest singular value, as a net does with its kernels.
      kernel_init: of V.
    Raises:
      ValueError: the net calls no `Dense`; num_classes is below one; labels are not one integer for
        each sample, or, where they are not traced, outside the classes.
    Example:
      >>> net = ProjectionCritic(MLPCritic((8,)), num_classes=10)
      >>> data = jnp.zeros((3, 2)), jnp.array([7, 0, 7])  # samples, and the class of each
      >>> variables = net.init(jax.random.key(0), data, train=True)
      >>> net.apply(variables, data, train=False).shape
      (3,)
    Source: Miyato & Koyama (2018), "cGANs with projection discriminator", equation 7.
    """

    net: nn.Module
    num_classes: int
    spectral_norm: bool = False
    kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.02)

    @nn.compact
    def __call__(self, inputs: Labeled, *, train: bool) -> Float[Array, "batch"]:
        """Maps samples with labels to raw outputs, high for what looks real and of its class."""
        x, labels = inputs
        features: list[Array] = []

        def overhear(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
            if isinstance(context.module, nn.Dense) and context.method_name == "__call__":
                features.append(args[0] if args else kwargs["inputs"])
            return call(*args, **kwargs)

        if not isinstance(self.net, nn.Module):
            raise ValueError(f"net: got a {type(self.net).__name__}, expected a linen module")
        with nn.intercept_methods(overhear):
            outputs = self.net(x, **mode_of(self.net, train=train))
        if not features:
            raise ValueError(
                f"net: got a {type(self.net).__name__} that calls no Dense, expected one that ends "
                "with it: what it is given are the features"
            )
        phi = features[-1]
        # No `Dense`: `last_features` of this critic are those of the net.
        layer = nn.DenseGeneral(
            phi.shape[-1], use_bias=False, kernel_init=self.kernel_init, name="V"
        )
        y = one_hot(labels, at_least("num_classes", self.num_classes, 1), phi)
        embedded = nn.SpectralNorm(layer)(y, update_stats=train) if self.spectral_norm else layer(y)
        return outputs + jnp.sum(embedded * phi, axis=-1)
