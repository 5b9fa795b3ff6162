"""Compiled programs are kept for the next process, in a place that is the user's alone."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from jaxgen.workbench.compiled_programs import MAX_BYTES

ROOT = Path(__file__).parents[2]
KEPT = """
    from jaxgen.workbench.compiled_programs import keep_compiled_programs, silence_xla

    silence_xla()
    import jax
    keep_compiled_programs()
    hits = []
    jax.monitoring.register_event_listener(lambda event, **_: hits.append(event))
    print(jax.jit(lambda x: jax.numpy.sin(x) / 3)(jax.numpy.arange(9.0)).tobytes().hex())
    print(sum("cache_hits" in event for event in hits))
    print(jax.config.jax_compilation_cache_dir, jax.config.jax_compilation_cache_max_size)
"""


def in_a_process(cache, code=KEPT, **environment):
    """What the code prints, and what stands on stderr, with the user's caches in `cache`."""
    ours = {"XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(ROOT), **environment}
    unset = ("JAX_COMPILATION_CACHE_DIR", "JAX_COMPILATION_CACHE_MAX_SIZE", "TF_CPP_MIN_LOG_LEVEL")
    inherited = {k: v for k, v in os.environ.items() if k not in unset}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**inherited, **ours},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    return cache, in_a_process(cache), in_a_process(cache)


def test_the_next_process_reads_what_was_compiled_and_gets_the_same_bits(twice):
    _, (cold, _), (warm, complaints) = twice
    assert int(cold[1]) == 0 < int(warm[1])
    assert cold[0] == warm[0]
    assert not complaints


def test_they_lie_in_the_users_cache_and_nowhere_else(twice):
    cache, (cold, _), _ = twice
    place, size = cold[2].split()
    assert Path(place).is_relative_to(cache / "jaxgen" / "compiled")
    assert Path(place).stat().st_mode & 0o777 == 0o700
    assert int(size) == MAX_BYTES


def test_a_place_that_others_can_write_to_is_not_used(twice):
    cache, (cold, _), _ = twice
    place = Path(cold[2].split()[0])
    place.chmod(0o777)
    try:
        said, complaints = in_a_process(cache)
    finally:
        place.chmod(0o700)
    assert said[1:] == ["0", "None -1"]
    assert "compiled programs are not kept" in complaints


@pytest.mark.parametrize("environment", ["JAX_COMPILATION_CACHE_DIR", "TF_CPP_MIN_LOG_LEVEL"])
def test_a_place_of_jaxs_own_and_a_talking_xla_are_let_be(environment, tmp_path):
    asked = {"JAX_COMPILATION_CACHE_DIR": tmp_path / "own", "TF_CPP_MIN_LOG_LEVEL": 0}[environment]
    said, _ = in_a_process(tmp_path, **{environment: str(asked)})
    expected = str(asked) if environment == "JAX_COMPILATION_CACHE_DIR" else "None"
    assert said[2] == f"{expected} -1"
    assert not (tmp_path / "jaxgen").exists()


BEGUN = """
    from jaxgen.workbench.compiled_programs import silence_xla

    silence_xla()
    import jax
    from jaxgen.workbench import RunConfig, begin
    begin(RunConfig(run_dir="run", compilation_cache={kept}))
    print(jax.config.jax_compilation_cache_dir is not None)
"""


@pytest.mark.parametrize("kept", [True, False])
def test_a_run_keeps_them_unless_told_otherwise(kept, tmp_path):
    assert in_a_process(tmp_path, BEGUN.format(kept=kept))[0] == [str(kept)]
