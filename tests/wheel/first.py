"""A user's first lines."""

import jaxgen

estimator = jaxgen.estimators.pathwise()
print(f"jaxgen {jaxgen.__version__}: {estimator.name} is unbiased: {estimator.unbiased}")
