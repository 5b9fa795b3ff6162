"""What the steps of a compiled program move: bytes of a device's memory, and between devices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.hlo import COLLECTIVES, FREE, Instruction, Program, num_bytes

SLICES = ("slice", "dynamic-slice", "gather")
_IN_FAST_MEMORY = re.compile(r"\b[a-z]+\d*\w*\[[\d,]*\]\{[^}]*S\(\d\)[^}]*\}")
"""Arrays that a TPU keeps in its cores' own memory."""


class Kernel(NamedTuple):
    """One instruction of a step.

    Attributes:
      times: that it runs in a step.
      moved: bytes read from and written to the device's memory, each time.
      between: bytes that are summed or gathered between devices, each time.
      cycles: as the compiler estimates them; 0 where it does not.
    """

    times: float
    moved: int
    between: int
    cycles: int


def kernels_of_a_step(program: Program, steps: int) -> list[Kernel]:
    """Returns what is run in the loop over `steps`, but for what costs nothing."""
    shapes = {each.name: each.shape for of in program.computations.values() for each in of}
    found = []
    for each, times in program.executed():
        if times % steps or each.opcode in FREE or each.opcode.endswith(("-done", "-update")):
            continue
        kind = each.opcode.removesuffix("-start")
        cycles = re.search(r'"estimated_cycles":"(\d+)"', each.attributes)
        found.append(
            Kernel(
                times / steps,
                0 if kind in COLLECTIVES else sum(_moved(program, each, kind, shapes)),
                num_bytes(each.shape) if kind in COLLECTIVES else 0,
                int(cycles[1]) if cycles else 0,
            )
        )
    return found


def _moved(program: Program, each: Instruction, kind: str, shapes: dict[str, str]) -> Iterator[int]:
    """Of an array from which rows are taken only these are read; of one updated, the update."""
    result = each.shape
    if each.opcode.endswith("-start"):  # (result, operand, context), or ((operands), result, ...)
        arrays = re.findall(r"\b[a-z]+\d*\w*\[[\d,]*\](?:\{[^}]*\})?", result)
        result = arrays[len(each.operands) if result.startswith("((") else 0]
    if kind in SLICES:
        yield num_bytes(result) + _slow(result)
        return
    if kind == "dynamic-update-slice":
        yield 2 * num_bytes(shapes.get(each.operands[1], ""))
        return
    inside = program.computations[each.calls["calls"]] if kind == "fusion" else []
    named = {int(of.operands[0]): of.name for of in inside if of.opcode == "parameter"}
    updates = [of for of in inside if of.opcode == "dynamic-update-slice"]
    for i, operand in enumerate(each.operands):
        name = named.get(i)
        users = [of for of in inside if name in of.operands]
        first = bool(users) and all(of.operands[0] == name for of in users)
        if first and all(of.opcode in SLICES for of in users):
            yield sum(num_bytes(of.shape) for of in users)
        elif not first or any(of not in updates for of in users):
            yield _slow(shapes.get(operand, ""))
    yield sum(num_bytes(shapes.get(of.operands[1], "")) for of in updates) or _slow(result)


def _slow(shape: str) -> int:
    return num_bytes(_IN_FAST_MEMORY.sub("", shape))
