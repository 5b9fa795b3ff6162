"""Deep generative models as pure functions.

Import the room you need: `jaxgen.estimators`, `jaxgen.objectives`, `jaxgen.models`, `jaxgen.train`,
`jaxgen.metrics`, `jaxgen.data`, `jaxgen.nets`, `jaxgen.distributions`.
"""

__version__ = "0.1.0"
