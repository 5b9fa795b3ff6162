"""What a configuration asks for, and the machine may lack: packages and devices."""

from __future__ import annotations

import contextlib
import importlib.util


def require_extra(field: str, module: str, extra: str) -> None:
    """Makes sure that what a field of the configuration asks for is installed.

    Raises:
      ValueError: `module` is not there; the message says which extra of the package brings it.
    Example:
      >>> require_extra("resume", "json", "workbench")  # it is there
      >>> require_extra("tensorboard", "nowhere", "tensorboard")
      Traceback (most recent call last):
      ValueError: tensorboard: got no nowhere, expected pip install 'jaxgen[tensorboard]' first
    """
    if importlib.util.find_spec(module) is None:
        raise ValueError(f"{field}: got no {module}, expected pip install 'jaxgen[{extra}]' first")


def require_devices(count: int) -> None:
    """Makes sure that JAX has `count` devices, pretending them where the backend is a CPU.

    Call it before anything else touches JAX: the number of CPU devices is fixed when the backend
    starts, that is, at the first array. Of several processes none pretends devices here, for each
    would pretend them all.

    Raises:
      ValueError: there are fewer devices and no more can be pretended.
    Example:
      >>> require_devices(config.devices)
    """
    import jax

    alone = not jax.distributed.is_initialized()
    if alone and count > max(jax.config.jax_num_cpu_devices, 1):  # type: ignore[attr-defined]
        # RuntimeError: the backend runs already, with as many devices as the next lines find.
        with contextlib.suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", count)
    available = jax.device_count()
    if count > available:
        raise ValueError(
            f"devices: got {count}, expected at most {available} ({jax.default_backend()}; a CPU "
            "pretends more only if asked before JAX starts)"
        )
