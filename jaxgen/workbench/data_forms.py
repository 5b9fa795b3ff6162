"""What a training is given as its data: arrays, several sets, or draws; and its compiled epoch."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
from jax.sharding import Mesh

from jaxgen.array_checks import arrays
from jaxgen.train import Epoch, Update, scan_draws, scan_epoch, scan_sets, shard
from jaxgen.types import Info, Key


class Draws(NamedTuple):
    """Data that are a distribution: no datapoint comes twice.

    Attributes:
      draw: `key -> batch`.
      num_steps: updates per epoch.

    Example:
      >>> data = Draws(lambda key: ring().sample(seed=key, sample_shape=512), num_steps=10)
      >>> jax.eval_shape(data.draw, key).shape
      (512, 2)
    """

    draw: Callable[[Key], Any]
    num_steps: int

    def scan(self, update: Update) -> Epoch:
        """Returns the epoch of fresh draws."""
        scan = scan_draws(update, self.draw, self.num_steps)

        def epoch(state: Any, key: Key, arrays: Any) -> tuple[Any, Info]:
            return scan(state, key)

        return epoch


class Sets(NamedTuple):
    """Data that are several sets, whose datapoints belong to no pairs: see `train.scan_sets`.

    Attributes:
      arrays: a tuple of sets, each a pytree of arrays with one leading axis; lengths may differ.

    Example:
      >>> data = Sets((images.train.images, images.test.images))
      >>> len(data.arrays)  # a batch is a pair of batches, one of each
      2
    """

    arrays: Any


@runtime_checkable
class Scan(Protocol):
    """How an update becomes an epoch; equal forms share one program."""

    def scan(self, update: Any) -> Epoch:
        """Returns the epoch, `(state, key, arrays) -> (state, infos)`."""
        ...


@functools.cache
def compiled_epoch(form: Scan, update: Callable[..., Any]) -> Any:
    """Returns the epoch of an update, compiled once for all trainings of it; it donates the state.

    Example:
      >>> state, infos = compiled_epoch(form, update)(state, key, arrays)
    """
    return jax.jit(form.scan(update), donate_argnums=0)


@dataclasses.dataclass(frozen=True)
class Sharded:
    """A form whose every batch is split over the devices of a mesh."""

    form: Scan
    mesh: Mesh

    def scan(self, update: Update) -> Epoch:
        """Returns the epoch of the update, sharded."""
        return self.form.scan(shard(update, self.mesh))


@dataclasses.dataclass(frozen=True)
class Weighted:
    """A form in which an update is made of weights, which come with the arrays."""

    form: Scan

    def scan(self, update: Callable[[Any], Update]) -> Epoch:
        """Returns the epoch `(state, key, (arrays, weights)) -> (state, infos)`."""

        def epoch(state: Any, key: Key, data: Any) -> tuple[Any, Info]:
            arrays, weights = data
            return self.form.scan(update(weights))(state, key, arrays)

        return epoch


def passed_through(data: Any, batch_size: int) -> tuple[Any, Scan]:
    """Returns the arrays that live on the devices, and how an epoch goes through them.

    Example:
      >>> arrays, form = passed_through(Sets((x, y)), 32)
      >>> state, infos = form.scan(update)(state, key, arrays)
    """
    if isinstance(data, Draws):
        return (), data
    if isinstance(data, Sets):
        return data.arrays, _OfSets(batch_size)
    arrays("data", data)
    return data, _OfArrays(batch_size)


# No tuples, which are equal whatever they are called.
@dataclasses.dataclass(frozen=True)
class _OfArrays:
    batch_size: int

    def scan(self, update: Update) -> Epoch:
        return scan_epoch(update, self.batch_size)


@dataclasses.dataclass(frozen=True)
class _OfSets:
    batch_size: int

    def scan(self, update: Update) -> Epoch:
        return scan_sets(update, self.batch_size)
