"""Settings for every test: checked annotations, caught key reuse, eight pretended CPU devices."""

import atexit
import gc
import importlib.metadata
import os
import pathlib
import re
import shutil
import tempfile
import threading

# Two thirds of the suite's CPU time went into compiling functions that run once. Without LLVM's
# optimizations, and with XLA's older emitters, compilation takes a third of what it took; with each
# program compiled whole, and not split for the threads of idle cores, a quarter less again. An
# unknown flag ends the process, so the emitters are those of jaxlib 0.10 only: 0.12 has dropped
# them. Set before JAX reads them, and for the processes that tests start; what is set already wins.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
if "XLA_FLAGS" not in os.environ:
    flags = "--xla_cpu_parallel_codegen_split_count=1"
    if importlib.metadata.version("jaxlib").startswith("0.10."):
        flags += " --xla_cpu_use_fusion_emitters=false"
    os.environ["XLA_FLAGS"] = flags

# Nobody reads where in Python an instruction of XLA came from: a twentieth of the time.
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")

# A run that is resumed, in this process or another, compiles what its first part compiled: kept for
# the length of the session, for all workers. Set before JAX reads it; workers find it set.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    compiled = tempfile.mkdtemp(prefix="jaxgen-tests-")
    atexit.register(shutil.rmtree, compiled, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = compiled
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"
    os.environ["JAX_COMPILATION_CACHE_MAX_SIZE"] = str(4 * 2**30)  # a size brings the lock

import chex
import jax
import pytest
from jax._src.lib.mlir import ir
from jaxtyping import install_import_hook
from xdist.scheduler import LoadScopeScheduling

jax.config.update("jax_num_cpu_devices", 8)


def _as_newer_jax(make, ir, uses=10):
    """Lowers ten programs in one context of MLIR, not in one each, as jax 0.12 does.

    A tenth of the suite's time went into making them. A program that is lowered within another's
    lowering has its own.
    """
    kept = threading.local()

    def make_ir_context():
        if ir.Context.current is not None:
            return make()
        context, left = getattr(kept, "context", (None, 0))
        if not left:
            context, left = make(), uses
        kept.context = context, left - 1
        return context

    return make_ir_context


# A seventh went into checking what JAX's own lowering rules have made.
ir._OperationBase.verify = lambda program: True

if importlib.metadata.version("jax").startswith("0.10."):
    from jax._src.interpreters import mlir

    mlir.make_ir_context = _as_newer_jax(mlir.make_ir_context, ir)

# Types within functions are checked at every call, in tests only; but not those of what compares
# the sizes that arguments share, which it does across its own functions.
import jaxgen.violations  # noqa: E402, F401

install_import_hook("jaxgen", "beartype.beartype")


@pytest.fixture(autouse=True)
def _no_key_is_used_twice():
    with jax.debug_key_reuse(True):
        yield


@pytest.fixture(autouse=True)
def _traces_are_counted_anew():
    chex.clear_trace_counter()  # of `chex.assert_max_traces`, which is one for the process


MEMORY = {"limit": 3 * 2**30}
"""Bytes in use above which compiled programs are dropped."""


@pytest.fixture(autouse=True, scope="module")
def _memory_is_used_again():
    """Compiled programs of past modules would fill many GiB by the end of the session.

    What they leave is used for the next ones and seldom given back: without room to grow, every
    module after the first that came to the limit would drop, and compile anew, what all modules
    share.
    """
    yield
    if memory_in_use() > MEMORY["limit"]:
        jax.clear_caches()
        MEMORY["limit"] = max(MEMORY["limit"], memory_in_use() + 2**29)


def memory_in_use():
    statm = pathlib.Path("/proc/self/statm")  # Linux: pages, the second number those in memory
    pages = int(statm.read_text().split()[1]) if statm.exists() else 0
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def key():
    return jax.random.key(0)


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


def pytest_collection_finish():
    """A tenth of the suite's time went into looking for garbage among what tracing leaves."""
    gc.freeze()  # modules stay
    gc.set_threshold(20_000, 20, 50)


class FilesAndRecipes(LoadScopeScheduling):
    """A worker takes a whole file, which shares fixtures, but of LONG files one case alone.

    The cases of one recipe go by the recipe's name, which stands first in their brackets, as do
    the examples of one room, and the targets that one program is compiled for.
    """

    LONG = ("test_recipes.py", "test_notebooks.py", "test_examples.py", "test_compiled.py")

    def _split_scope(self, nodeid):
        file, _, test = nodeid.partition("::")
        case = re.search(r"\[(\w+)", test) if file.endswith(self.LONG) else None
        return f"{file}[{case[1]}]" if case else file


@pytest.hookimpl(optionalhook=True)  # for `-p no:xdist`
def pytest_xdist_make_scheduler(config, log):
    return FilesAndRecipes(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items):
    """What takes longest comes first, so that no worker has it alone at the end."""
    items.sort(key=lambda item: "experiments" not in item.path.parts)
