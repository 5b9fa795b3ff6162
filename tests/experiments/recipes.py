"""Recipes run in the test's own process, whole or interrupted and resumed; what they compile."""

import collections
import contextlib
import logging
import os
import re
import shlex
import signal

import jax
import pytest

from jaxgen.workbench.cli import choose
from jaxgen.workbench.run_directory import RunDirectory


def run_recipe(name, arguments, run_dir):
    """Runs `python -m experiments NAME ARGUMENTS --run-dir RUN_DIR`; returns its exit code."""
    try:
        choose([name, *shlex.split(arguments), "--run-dir", str(run_dir)])
    except SystemExit as left:
        return left.code
    return 0


@contextlib.contextmanager
def compilations():
    """Yields a Counter of how often each jitted function is compiled meanwhile, by its name."""
    counted = collections.Counter()

    class Count(logging.Handler):
        def emit(self, record):
            if found := re.match(r"Compiling jit\((\w+)\)", record.getMessage()):
                counted[found[1]] += 1

    handler = Count()
    logger = logging.getLogger("jax")
    logger.addHandler(handler)
    try:
        with jax.log_compiles():
            yield counted
    finally:
        logger.removeHandler(handler)


def run_interrupted(name, arguments, run_dir, *, epoch, part=None):
    """Runs a recipe that gets SIGTERM as it is about to record `epoch` of the run named `part`."""
    record = RunDirectory.record

    def interrupted(run, metrics):
        if part in (None, run.path.name) and metrics["epoch"] == epoch:
            os.kill(os.getpid(), signal.SIGTERM)
        record(run, metrics)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunDirectory, "record", interrupted)
        return run_recipe(name, arguments, run_dir)
