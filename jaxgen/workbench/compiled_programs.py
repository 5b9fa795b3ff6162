"""Compiled programs are kept for the next run, by JAX's persistent compilation cache."""

from __future__ import annotations

import os
import stat
import warnings
from hashlib import sha256
from pathlib import Path

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
MAX_BYTES = 2 * 2**30
"""Of all programs together; those unused for longest go first."""


def silence_xla() -> None:
    """Lets XLA write fatal messages only, if nothing else is asked for; call it before JAX loads.

    XLA reports every program that it reads back on some CPUs, twice, for preferences of LLVM that
    it takes for features of the processor (openxla/xla, issue 44565).

    Example:
      >>> silence_xla()
    """
    os.environ.setdefault(_LOG_LEVEL, "3")


def keep_compiled_programs() -> None:
    """Makes JAX keep what it compiles in the user's cache directory, and look there first.

    A program that was kept gives the numbers of one that was compiled, to the bit: it is the same
    program. Where `JAX_COMPILATION_CACHE_DIR` names a place, that is JAX's own affair, and nothing
    is done; nor where XLA is not silent (see `silence_xla`). Whoever can write to the place can
    have code run by its readers, so it is the user's alone; where it is not, a warning says so and
    nothing is kept.

    Example:
      >>> keep_compiled_programs()  # before the first program
    """
    import jax
    from platformdirs import user_cache_path

    placed = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if placed or os.environ.get(_LOG_LEVEL) != "3":
        return
    place = user_cache_path("jaxgen") / "compiled" / _machine()
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        trusted = _of_user_alone(place)
    except OSError:
        trusted = False
    if not trusted:
        warnings.warn(
            f"compiled programs are not kept: {place} is not a directory that this user alone can "
            "write to",
            RuntimeWarning,
            stacklevel=2,
        )
        return
    jax.config.update("jax_compilation_cache_dir", str(place))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_compilation_cache_max_size", MAX_BYTES)


def _of_user_alone(place: Path) -> bool:
    status = place.stat()
    writable = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return not writable and (not hasattr(os, "getuid") or status.st_uid == os.getuid())


def _machine() -> str:
    """Returns a name for this kind of processor: machines that share a home may differ."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    told = sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))})
    return sha256("\n".join(told).encode()).hexdigest()[:16]
