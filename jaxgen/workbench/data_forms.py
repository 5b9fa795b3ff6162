"""What a training is given as its data: arrays, several sets of them, or fresh draws."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxgen.array_checks import arrays
from jaxgen.train import Epoch, Update, scan_draws, scan_epoch, scan_sets
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
        epoch = scan_draws(update, self.draw, self.num_steps)

        def drawn(state: Any, key: Key, arrays: Any) -> tuple[Any, Info]:
            return epoch(state, key)

        return drawn


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

    def scan(self, update: Update) -> Epoch:
        """Returns the epoch, `(state, key, arrays) -> (state, infos)`."""
        ...


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
