"""The core without the extra `workbench`: typed, light, and an error that names what is missing."""

import importlib
import importlib.resources
import pkgutil
import sys

import jaxgen

assert importlib.resources.files("jaxgen").joinpath("py.typed").is_file()
assert "jax" not in sys.modules, "import jaxgen must stay light"

for module in pkgutil.walk_packages(jaxgen.__path__, "jaxgen."):
    if not module.name.startswith("jaxgen.workbench."):
        importlib.import_module(module.name)

for use in (lambda: jaxgen.pictures.bars([1.0]), lambda: jaxgen.workbench.main):
    try:
        use()
    except ImportError as error:
        assert "pip install 'jaxgen[workbench]'" in str(error), error
    else:
        raise AssertionError("it needs a package that is not here")

print("every room but the workbench is there; what is missing is named")
