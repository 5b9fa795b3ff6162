"""Deep generative models as pure functions: `import jaxgen; jaxgen.estimators.pathwise()`.

Each room is imported when it is first used. Likelihoods: `models`, `bounds`, `estimators`,
`objectives`, `inference`, `certify`. Samples alone: `divergences`, `two_sample`, `pairwise`,
`metrics`. What both stand on: `distributions`, `nets`, `data`, `train`, `types`, `checks`,
`numerics`. With the extra `workbench`: `pictures` and `workbench`.
"""

import importlib
from types import ModuleType

__version__ = "0.1.0"

_ROOMS = (
    "bounds",
    "certify",
    "checks",
    "data",
    "distributions",
    "divergences",
    "estimators",
    "inference",
    "metrics",
    "models",
    "nets",
    "numerics",
    "objectives",
    "pairwise",
    "pictures",
    "train",
    "two_sample",
    "types",
    "workbench",
)


def __getattr__(name: str) -> ModuleType:
    if name in _ROOMS:
        return importlib.import_module(f"jaxgen.{name}")
    raise AttributeError(
        f"module 'jaxgen' has no attribute {name!r}; its rooms: {', '.join(_ROOMS)}"
    )


def __dir__() -> list[str]:
    return sorted([*globals(), *_ROOMS])
