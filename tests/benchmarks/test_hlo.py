"""The text of a compiled program is read as it is run."""

import jax
import jax.numpy as jnp
import pytest

from benchmarks.device_traffic import kernels_of_a_step
from benchmarks.hlo import collectives, num_bytes, parse
from jaxgen.train import data_mesh, scan_epoch, shard

STEPS = 6


@pytest.fixture(scope="module")
def program():
    def update(w, key, x):
        w = w - jax.lax.fori_loop(0, 3, lambda _, v: jnp.sin(v), jnp.mean(x, axis=0))
        return w, {"spread": jnp.max(x)}

    epoch = jax.jit(scan_epoch(shard(update, data_mesh()), 16))
    shapes = jax.ShapeDtypeStruct((4,), jnp.float32), jax.random.key(0), jnp.zeros((STEPS * 16, 4))
    return parse(epoch.lower(*shapes).compile().as_text())


def test_what_a_loop_runs_is_counted_as_often(program):
    assert collectives(program) == {"all-reduce": 2 * STEPS}
    assert {times for _, times in program.executed()} >= {1, STEPS, 3 * STEPS}


def test_what_a_step_moves(program):
    kernels = kernels_of_a_step(program, STEPS)
    assert sum(kernel.times * kernel.between for kernel in kernels) == 4 * 4 + 4
    assert all(kernel.moved > 0 or kernel.between > 0 for kernel in kernels)


def test_a_row_that_is_taken_is_all_that_is_moved():
    text = """HloModule m
%rows (p0: f32[1000,8], p1: s32[]) -> f32[2,8] {
  %p0 = f32[1000,8]{1,0} parameter(0)
  %p1 = s32[] parameter(1)
  %zero = s32[] constant(0)
  ROOT %slice = f32[2,8]{1,0} dynamic-slice(%p0, %p1, %zero), dynamic_slice_sizes={2,8}
}

ENTRY %main (a: f32[1000,8], b: s32[]) -> f32[2,8] {
  %a = f32[1000,8]{1,0} parameter(0)
  %b = s32[] parameter(1)
  ROOT %fusion = f32[2,8]{1,0:T(8,128)} fusion(%a, /*index=1*/%b), kind=kLoop, calls=%rows
}
"""
    (kernel,) = kernels_of_a_step(parse(text), 1)
    assert kernel.moved == 2 * (2 * 8 * 4) + 4
    # What a TPU keeps in its cores' own memory is not moved.
    fast = text.replace("{1,0:T(8,128)} fusion", "{1,0:T(8,128)S(1)} fusion")
    assert kernels_of_a_step(parse(fast), 1)[0].moved == 2 * 8 * 4 + 4


def test_what_is_moved_ahead_of_its_use():
    """Into a core's own memory the array is read, out of it written, a part of one in part."""
    text = """HloModule m
ENTRY %main (a: f32[100,8]) -> f32[10,8] {
  %a = f32[100,8]{1,0} parameter(0)
  %in = (f32[100,8]{1,0:S(1)}, f32[100,8]{1,0}, u32[]) copy-start(%a)
  %in-done = f32[100,8]{1,0:S(1)} copy-done(%in)
  %part = ((f32[100,8]{1,0}), f32[10,8]{1,0:S(1)}, s32[]{:S(2)}) slice-start(%a), slice={[0:10]}
  %out = (f32[100,8]{1,0}, f32[100,8]{1,0:S(1)}, u32[]) copy-start(%in-done)
}
"""
    moved = [kernel.moved for kernel in kernels_of_a_step(parse(text), 1)]
    assert moved == [4 * 800, 4 * 80, 4 * 800]


@pytest.mark.parametrize(
    ("shape", "size"),
    [("f32[2,3]{1,0}", 24), ("(bf16[5], pred[], s32[])", 15), ("f32[]", 4), ("token[]", 0)],
)
def test_bytes(shape, size):
    assert num_bytes(shape) == size
