"""How well features tell classes apart by planes: logistic regression, solved to its optimum."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from jaxgen.array_checks import class_labels, of_shape
from jaxgen.checks import at_least, positive
from jaxgen.metrics.class_neighbors import Labels
from jaxgen.pairwise import Samples, sample_vectors

HIGHEST = jax.lax.Precision.HIGHEST


class LinearProbe(NamedTuple):
    """The multinomial logistic regression of classes on standardized features.

    Attributes:
      mean: of each feature, which is taken away first.
      scale: its standard deviation, which it is divided by; 1 of a feature that is constant.
      weights: of the standardized features.
      bias: of the classes.
      gradient: what is left of the loss's gradient, over that at zero; at most `tolerance` where
        the optimum was found.
      steps: that it took.
    Example:
      >>> features, labels = jnp.array([[-1.0], [-2.0], [3.0]]), jnp.array([0, 0, 1])
      >>> probe = linear_probe(features, labels, num_classes=2)
      >>> probe.logits(jnp.array([[-3.0], [2.0]])).argmax(axis=1).tolist()
      [0, 1]
    """

    mean: Float[Array, "dims"]
    scale: Float[Array, "dims"]
    weights: Float[Array, "dims classes"]
    bias: Float[Array, "classes"]
    gradient: Float[Array, ""]
    steps: Int[Array, ""]

    def logits(self, features: Samples) -> Float[Array, "n classes"]:
        """Returns the log probability of every class, up to one number for each sample.

        Raises:
          ValueError: the features are not of floating point, or not as many as it was fitted on.
        """
        (x,) = sample_vectors(features=features)
        of_shape("features", x, (len(x), len(self.mean)))
        standardized = (x - self.mean) / self.scale
        return jnp.matmul(standardized, self.weights, precision=HIGHEST) + self.bias


def linear_probe(
    features: Samples,
    labels: Labels,
    num_classes: int,
    *,
    l2: Any = 1.0,
    standardized_by: Samples | None = None,
    tolerance: float = 1e-5,
    max_steps: int = 1000,
) -> LinearProbe:
    """Returns the weights and the bias that lower

      sum over samples of -log p(label | features) + l2 / 2 |weights|², in nats,

    which has one minimum where every class occurs, up to a constant in all biases; the bias of one
    that does not falls on and on. L-BFGS finds it from zero. It compiles once and runs under vmap,
    say over seeds; `probe.gradient` says whether the minimum was reached.

    Args:
      features: of the samples whose labels are known, [n, ...].
      labels: 0 to num_classes - 1.
      num_classes: of the labels.
      l2: precision of the weights' Gaussian prior; that of the bias is zero. As 1 / C of
        scikit-learn's `LogisticRegression`. May be traced.
      standardized_by: features whose means and standard deviations standardize all others, say
        those of samples without labels, too. By default `features`.
      tolerance: norm of the gradient over that at zero, at which it stops.
      max_steps: at which it stops at the latest.
    Raises:
      ValueError: features of unlike shape or not of floating point; labels that are no integers,
        not one for each sample or not of a class; l2 or max_steps out of range.
    Example:
      >>> features, labels = jnp.array([[-1.0], [-2.0], [3.0]]), jnp.array([0, 0, 1])
      >>> probe = linear_probe(features, labels, num_classes=2)
      >>> accuracy = (probe.logits(features).argmax(axis=1) == labels).mean()
      >>> float(accuracy), bool(probe.gradient <= 1e-5)
      (1.0, True)
    Source: Alain & Bengio (2017), "Understanding intermediate layers using linear classifier
      probes", section 3.
    """
    known, others = sample_vectors(
        features=features, standardized_by=features if standardized_by is None else standardized_by
    )
    num_classes, max_steps = (
        at_least("num_classes", num_classes, 2),
        at_least("max_steps", max_steps, 1),
    )
    class_labels(labels, num_classes, len(known))
    return _fitted(
        known,
        labels,
        others,
        positive("l2", l2),
        positive("tolerance", tolerance),
        num_classes=num_classes,
        max_steps=max_steps,
    )


@partial(jax.jit, static_argnames=("num_classes", "max_steps"), inline=True)
def _fitted(
    features: Float[Array, "n dims"],
    labels: Int[Array, "n"],
    others: Float[Array, "_ dims"],
    l2: Any,
    tolerance: Any,
    *,
    num_classes: int,
    max_steps: int,
) -> LinearProbe:
    mean, spread = jnp.mean(others, axis=0), jnp.std(others, axis=0)
    # Of a constant, rounding leaves a little.
    constant = spread <= 4 * jnp.finfo(spread.dtype).eps * jnp.max(jnp.abs(others), axis=0)
    scale = jnp.where(constant, 1.0, spread)
    x = (features - mean) / scale

    def loss(params: tuple[Array, Array]) -> Array:
        weights, bias = params
        logits = jnp.matmul(x, weights, precision=HIGHEST) + bias
        nats = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return jnp.sum(nats) + l2 / 2 * jnp.sum(weights**2)

    optimizer, slope = optax.lbfgs(), optax.value_and_grad_from_state(loss)
    start = jnp.zeros((x.shape[1], num_classes), x.dtype), jnp.zeros(num_classes, x.dtype)
    at_start = optax.tree.norm(jax.grad(loss)(start))

    def goes_on(carry: tuple[Any, ...]) -> Array:
        _, _, gradient, steps = carry
        return (gradient > tolerance * at_start) & (steps < max_steps)

    def step(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        params, state, _, steps = carry
        value, gradient = slope(params, state=state)
        updates, state = optimizer.update(
            gradient, state, params, value=value, grad=gradient, value_fn=loss
        )
        left = optax.tree.norm(optax.tree.get(state, "grad"))
        return optax.apply_updates(params, updates), state, left, steps + 1

    begun = start, optimizer.init(start), at_start, jnp.zeros((), jnp.int32)
    (weights, bias), _, gradient, steps = jax.lax.while_loop(goes_on, step, begun)
    relative = gradient / jnp.where(at_start == 0, 1.0, at_start)
    return LinearProbe(mean, scale, weights, bias, relative, steps)
