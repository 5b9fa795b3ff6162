"""Devices that are not there: what compilers must know of them, and their published peaks.

It takes the extra `aot`: libtpu, which describes a TPU by the name of its topology, and JAX's CUDA
plugin, which is told a GPU's facts. No driver and no device are asked.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from jax.experimental import topologies


class Target(NamedTuple):
    """Devices to compile for.

    Attributes:
      package: that compiles for them.
      describe: returns their descriptions, which are devices to JAX.
      flops: the most operations a second of one device, on the operands that a product of float32
        takes by default.
      bandwidth: bytes a second between one device and its memory.
      link: bytes a second that one device sends to the others.
      clock: cycles a second, where the compiler counts cycles.
    """

    package: str
    describe: Callable[[], list[Any]]
    flops: float
    bandwidth: float
    link: float
    clock: float | None = None


def v5e() -> list[Any]:
    """Eight chips of TPU v5e, in a rectangle of two by four.

    Example:
      data_mesh(devices=v5e())
    """
    # It would ask the machine for its TPU, and keep a second process from loading it.
    told = {
        "TPU_SKIP_MDS_QUERY": "1",
        "TPU_ACCELERATOR_TYPE": "v5litepod-8",
        "TPU_WORKER_HOSTNAMES": "localhost",
        "TPU_WORKER_ID": "0",
        "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    }
    for name, value in told.items():
        os.environ.setdefault(name, value)
    return topologies.get_topology_desc("v5e:2x4", "tpu").devices


def h100() -> list[Any]:
    """Eight H100 SXM of one machine.

    Example:
      data_mesh(devices=h100())
    """
    return topologies.get_topology_desc("", "cuda", target_config=H100, topology="1x1x8").devices


H100 = """
gpu_device_info {
  cuda_compute_capability { major: 9 minor: 0 }
  core_count: 132 fpus_per_core: 128 clock_rate_ghz: 1.98
  threads_per_warp: 32 threads_per_block_limit: 1024 threads_per_core_limit: 2048
  registers_per_block_limit: 65536 registers_per_core_limit: 65536
  shared_memory_per_core: 233472
  shared_memory_per_block: 49152 shared_memory_per_block_optin: 232448
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  memory_bandwidth: 3352000000000 l2_cache_size: 52428800 device_memory_size: 85899345920
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 10 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""
"""In the text form of XLA's GpuTargetConfigProto; numbers of NVIDIA's H100 data sheet and the CUDA
programming guide, compute capability 9.0."""

TARGETS = {
    # A TPU multiplies float32 as bfloat16; its four units of 128x128 then tell the clock.
    "v5e": Target("libtpu", v5e, 197e12, 819e9, 200e9, 197e12 / (2 * 4 * 128**2)),
    # An H100 multiplies float32 as tf32, here without sparsity.
    "h100": Target("jax_cuda13_plugin", h100, 494.7e12, 3.352e12, 450e9),
}
"""By name. Sources: Google Cloud's page of TPU v5e; NVIDIA's data sheet of the H100 SXM."""
