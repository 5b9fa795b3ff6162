"""Settings for every test: checked annotations, caught key reuse, eight pretended CPU devices."""

import jax
import pytest
from jaxtyping import install_import_hook

jax.config.update("jax_num_cpu_devices", 8)

# Shapes and types in annotations are checked at every call, in tests only.
install_import_hook("jaxgen", "beartype.beartype")


@pytest.fixture(autouse=True)
def _no_key_is_used_twice():
    with jax.debug_key_reuse(True):
        yield


@pytest.fixture
def key():
    return jax.random.key(0)


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield
