"""The recipes' programs, compiled for eight chips of TPU v5e and eight H100, none of which is here.

Where a compiler is absent, all of it is skipped:

  JAX_PLATFORMS=cpu python -m pytest tests/aot        # after pip install -e '.[test,aot]'
"""

import functools
import importlib.util
from typing import NamedTuple
from unittest import mock

import jax
import jax.numpy as jnp
import pytest
from device_laws import (
    assert_convolutions,
    assert_donated,
    assert_highest,
    assert_single_precision,
    assert_stays_on_the_devices,
    assert_sums_alone,
    assert_within,
    num_params,
)
from jax.sharding import NamedSharding, PartitionSpec
from laws import rejected

from benchmarks.device_targets import TARGETS
from jaxgen.train import data_mesh

absent = [each.package for each in TARGETS.values() if not importlib.util.find_spec(each.package)]
if absent:
    pytest.skip(f"{', '.join(absent)}: not installed, see the extra aot", allow_module_level=True)


class Expected(NamedTuple):
    """What is held of a training.

    Attributes:
      reduces: all-reduces a step, of the TPU and of the GPU: what must be known before the next is
        computed cannot be summed with it, and a compiler may start early what it has early.
      beside: numbers that are summed beside the gradients, at most: terms of the info; batch
        statistics.
      mebibytes: of one device, at most; ten batches of data are among them.
      convolutions: in the program.
    """

    reduces: tuple[int, int]
    beside: int
    mebibytes: int
    convolutions: int = 0


EXPECTED = {
    "vae": Expected((1, 1), 8, 20),
    "vae_stream": Expected((1, 1), 8, 20),
    "vae_conv": Expected((1, 3), 8, 40, 4 + 4 + 3),  # forward, in the kernels, in the inputs
    "disarm": Expected((1, 1), 8, 10),
    "rloo": Expected((1, 1), 8, 10),
    # Mean and square of each of 128 or 64 channels: 6 passes of the critic's layer, 2 of the
    # generator's two. A TPU sums the images of one layer before its 7x7 pixels.
    "dcgan": Expected((10, 13), 2 * (6 * 128 + 2 * 128 + 2 * 64) + 2 * 49 * 128 + 100, 40, 22),
    # The critic's gradient in each of 5 steps ahead, again in 4 of them on the way back, in its own
    # step, and the generator's; each of the critic's, of reals and fakes, for 3 seeds.
    "ring": Expected((5 + 4 + 1 + 1,) * 2, 10 * 2 * 3 * 513, 8),
    "flow": Expected((1, 1), 8, 20),
}


@pytest.fixture(scope="module", autouse=True)
def _optimized():
    """The suite compiles without optimizations."""
    name = "jax_disable_most_optimizations"
    kept = jax.config.read(name)
    jax.config.update(name, False)
    yield
    jax.config.update(name, kept)


@functools.cache
def mesh_of(target):
    return data_mesh(devices=TARGETS[target].describe())


class Case(NamedTuple):
    program: object
    lowered: object
    compiled: object
    text: str


@functools.lru_cache(maxsize=2)
def compiled(name, target):
    from benchmarks.device_programs import MEASURES, TRAININGS, lower  # all recipes with it

    program = {**TRAININGS, **MEASURES}[name](mesh_of(target))
    lowered = lower(program, mesh_of(target))
    result = lowered.compile()
    return Case(program, lowered, result, result.as_text())


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", EXPECTED)
def test_a_training(name, target):
    """All laws of one program at once, for compiling it is what takes time."""
    case, expected = compiled(name, target), EXPECTED[name]
    state = case.program.arguments[0]
    params = num_params(players(state))
    count = expected.reduces[list(TARGETS).index(target)]
    assert_sums_alone(case.text, case.program.steps, count, params, params + expected.beside)
    assert_single_precision(case.lowered)
    assert_stays_on_the_devices(case.text)
    assert_donated(case.text, state)
    assert_within(case.compiled, expected.mebibytes)
    assert_convolutions(case.lowered, expected.convolutions)


def players(state):
    """What a gradient is taken in."""
    if hasattr(state, "critic"):
        return state.generator.train.params, state.critic.train.params
    return state.params


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ["vae_nll", "kalman"])
def test_a_number_that_is_reported(name, target):
    case = compiled(name, target)
    assert_highest(case.text)
    assert_single_precision(case.lowered)
    assert_stays_on_the_devices(case.text)


@pytest.mark.parametrize("target", TARGETS)
class TestBrokenPrograms:
    """Each law, and a step that breaks it."""

    def compile(self, target, step, *, donated=True):
        mesh = mesh_of(target)
        shapes = [
            jax.ShapeDtypeStruct(shape, jnp.float32, sharding=NamedSharding(mesh, spec))
            for shape, spec in (((64, 8), PartitionSpec()), ((32, 64), PartitionSpec("data")))
        ]
        lowered = jax.jit(step, donate_argnums=0 if donated else ()).lower(*shapes)
        return lowered, lowered.compile()

    def test_a_sound_one(self, target):
        lowered, program = self.compile(target, lambda w, x: w - x.T @ jnp.tanh(x @ w))
        text = program.as_text()
        assert_sums_alone(text, 1, 1, 512, 512)
        assert_single_precision(lowered)
        assert_stays_on_the_devices(text)
        assert_donated(text, [jnp.zeros(())])
        assert_within(program, 1)
        assert_convolutions(lowered, 0)
        for broken in (
            lambda: assert_sums_alone(text, 1, 2, 512, 512),
            lambda: assert_sums_alone(text, 1, 1, 513, 600),
            lambda: assert_sums_alone(text, 1, 1, 100, 511),
            lambda: assert_within(program, 0.001),
            lambda: assert_convolutions(lowered, 1),
            lambda: assert_highest(text),
        ):
            with rejected():
                broken()

    def test_an_all_gather(self, target):
        whole = NamedSharding(mesh_of(target), PartitionSpec())

        def gathering(w, x):
            hidden = jax.lax.with_sharding_constraint(jnp.tanh(x @ w), whole)
            return w - jnp.mean(hidden, axis=0)

        text = self.compile(target, gathering)[1].as_text()
        assert "all-gather" in text
        with rejected():
            assert_sums_alone(text, 1, 1, 0, 10_000)

    def test_a_bit_that_is_sent_alone(self, target):
        def two_sums(w, x):
            hidden = jnp.tanh(x @ w)
            return w - x.T @ hidden, jnp.all(jnp.isfinite(hidden))

        with rejected():
            assert_sums_alone(self.compile(target, two_sums)[1].as_text(), 1, 2, 0, 10_000)

    def test_a_float64(self, target):
        def wide(w, x):
            product = x.astype(jnp.float64).T @ jnp.tanh(x @ w).astype(jnp.float64)
            return w - product.astype(jnp.float32)

        with jax.enable_x64(True), rejected():
            assert_single_precision(self.compile(target, wide)[0])

    def test_a_callback(self, target):
        def printing(w, x):
            jax.debug.callback(lambda value: None, jnp.sum(x))
            return w - x.T @ jnp.tanh(x @ w)

        if target == "h100":  # JAX itself has no way to lower one without the device
            with pytest.raises(RuntimeError, match="'gpu' requested"):
                self.compile(target, printing)
        else:
            with rejected():
                assert_stays_on_the_devices(self.compile(target, printing)[1].as_text())

    def test_a_state_that_is_kept(self, target):
        program = self.compile(target, lambda w, x: w - x.T @ jnp.tanh(x @ w), donated=False)[1]
        with rejected():
            assert_donated(program.as_text(), [jnp.zeros(())])


@pytest.mark.parametrize("target", TARGETS)
def test_patches_are_told_from_convolutions(target):
    """The way of a CPU, if another device were given it."""

    def of_a_cpu(*operands, cpu, default):
        return cpu(*operands)

    from benchmarks.device_programs import TRAININGS, lower

    mesh = mesh_of(target)
    with mock.patch("jax.lax.platform_dependent", of_a_cpu):
        lowered = lower(TRAININGS["vae_conv"](mesh), mesh)
    with rejected():
        assert_convolutions(lowered, EXPECTED["vae_conv"].convolutions)
