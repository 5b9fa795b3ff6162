"""Deep generative models as pure functions: `import jaxgen; jaxgen.estimators.pathwise()`.

Each room is imported when it is first used; the last two need the extra `workbench`.

| question | room |
|---|---|
| a VAE, a flow, an autoregressive model, a GAN | `jaxgen.models` |
| the nets and distributions that they are made of | `jaxgen.nets`, `jaxgen.distributions` |
| what to climb or lower: a bound, the losses of a game | `jaxgen.objectives`, `jaxgen.bounds` |
| the gradient of an expectation | `jaxgen.estimators` |
| is a gradient unbiased, how noisy is it; is it a density? | `jaxgen.certify` |
| one update, an epoch, many devices, checkpoints | `jaxgen.train` |
| images, my own among them | `jaxgen.data` |
| EM, HMC, annealed importance sampling, particle filters | `jaxgen.inference` |
| a number to report, of likelihood or of samples | `jaxgen.metrics` |
| do two sets of samples differ; how far apart | `jaxgen.two_sample`, `jaxgen.divergences` |
| the source of what I use | `jaxgen.bibliography` |
| a figure | `jaxgen.pictures` |
| what every recipe shares: flags, run directory, a whole training | `jaxgen.workbench` |

What they stand on: `jaxgen.numerics`, `jaxgen.pairwise`, `jaxgen.types`, `jaxgen.values`, and the
checks of what comes in.
"""

import importlib
import pkgutil
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # type checkers do not see what __getattr__ imports
    from jaxgen import array_checks as array_checks
    from jaxgen import bibliography as bibliography
    from jaxgen import boundary as boundary
    from jaxgen import bounds as bounds
    from jaxgen import certify as certify
    from jaxgen import checks as checks
    from jaxgen import data as data
    from jaxgen import distributions as distributions
    from jaxgen import divergences as divergences
    from jaxgen import estimators as estimators
    from jaxgen import inference as inference
    from jaxgen import metrics as metrics
    from jaxgen import models as models
    from jaxgen import nets as nets
    from jaxgen import numerics as numerics
    from jaxgen import objectives as objectives
    from jaxgen import pairwise as pairwise
    from jaxgen import pictures as pictures
    from jaxgen import train as train
    from jaxgen import two_sample as two_sample
    from jaxgen import types as types
    from jaxgen import values as values
    from jaxgen import violations as violations
    from jaxgen import workbench as workbench

__version__ = "0.1.0"

_ROOMS = sorted(room.name for room in pkgutil.iter_modules(__path__))


def __getattr__(name: str) -> ModuleType:
    if name in _ROOMS:
        return importlib.import_module(f"jaxgen.{name}")
    raise AttributeError(
        f"module 'jaxgen' has no attribute {name!r}; its rooms: {', '.join(_ROOMS)}"
    )


def __dir__() -> list[str]:
    return sorted([*globals(), *_ROOMS])
