"""What a compiled program does, read from its text: XLA's HLO after all optimizations.

The text lists computations, of one instruction a line. A program starts at its entry; a `while`
runs its body as often as the condition says, a fusion is one kernel, and collectives are
instructions of their own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

COLLECTIVES = (
    "all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute",
    "collective-broadcast", "ragged-all-to-all",
)  # fmt: skip
FREE = ("parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "iota")
"""Instructions that move nothing."""
_BYTES = {"pred": 1, "token": 0, "opaque": 0}
_HEAD = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
_LINE = re.compile(r"^\s+(?:ROOT )?%?([\w.\-]+) = (.*)$")
_CALLED = re.compile(r"(body|condition|calls|to_apply)=%?([\w.\-]+)")
_ARRAY = re.compile(r"\b([a-z]+\d*\w*)\[([\d,]*)\]")


class Instruction(NamedTuple):
    """One line of a computation.

    Attributes:
      name: unique in the program.
      shape: of the result, as text.
      opcode: such as `fusion`.
      operands: their names.
      attributes: the rest of the line.
    """

    name: str
    shape: str
    opcode: str
    operands: tuple[str, ...]
    attributes: str

    @property
    def calls(self) -> dict[str, str]:
        """Names of the computations that it runs, by their part in it."""
        return dict(_CALLED.findall(self.attributes))


class Program(NamedTuple):
    """The computations of a compiled program.

    Attributes:
      entry: name of the first.
      computations: by name.
    """

    entry: str
    computations: dict[str, list[Instruction]]

    def executed(self) -> list[tuple[Instruction, int]]:
        """Returns every instruction that is run by itself, and how often: fusions are whole."""
        return [*self._run(self.entry, 1)]

    def _run(self, name: str, times: int) -> Iterator[tuple[Instruction, int]]:
        for each in self.computations[name]:
            calls = each.calls
            if each.opcode == "while":
                yield from self._run(calls["body"], times * self._trips(each))
            elif each.opcode in ("call", "async-start") and calls:
                yield from self._run(next(iter(calls.values())), times)
            else:
                yield each, times

    def _trips(self, loop: Instruction) -> int:
        known = re.search(r'known_trip_count":\{"n":"(\d+)"', loop.attributes)
        if known:
            return int(known[1])
        # A scan counts from zero to the constant that its condition compares with.
        bounds = [
            int(each.operands[0])
            for each in self.computations[loop.calls["condition"]]
            if each.opcode == "constant" and each.operands and each.operands[0].isdigit()
        ]
        return max(bounds, default=1)

    def inside(self, instruction: Instruction) -> Iterator[Instruction]:
        """Yields the instructions of the computations that one of `executed` is made of."""
        for name in instruction.calls.values():
            for each in self.computations[name]:
                yield each
                yield from self.inside(each)


def parse(text: str) -> Program:
    """Returns the program of a text such as that of `compiled.as_text()`.

    Example:
      parse(jax.jit(jnp.sin).lower(1.0).compile().as_text()).executed()
    """
    computations: dict[str, list[Instruction]] = {}
    entry, current = "", []
    for line in text.splitlines():
        head = _HEAD.match(line)
        if head:
            current = computations.setdefault(head[2], [])
            entry = head[2] if head[1] else entry
        elif (found := _LINE.match(line)) is not None:
            current.append(_instruction(found[1], found[2]))
    return Program(entry, computations)


def collectives(program: Program) -> dict[str, int]:
    """Returns how often each kind of collective is run."""
    counts: dict[str, int] = {}
    for each, times in program.executed():
        kind = each.opcode.removesuffix("-start")
        if kind in COLLECTIVES:
            counts[kind] = counts.get(kind, 0) + times
    return counts


def num_bytes(shape: str) -> int:
    """Returns the bytes of all arrays of a shape.

    Example:
      num_bytes("(f32[2,3]{1,0}, pred[])")  # 25
    """
    return sum(
        _bytes_of(dtype) * math.prod(map(int, filter(None, sizes.split(","))))
        for dtype, sizes in _ARRAY.findall(shape)
    )


def _bytes_of(dtype: str) -> int:
    if dtype in _BYTES:
        return _BYTES[dtype]
    bits = re.match(r"[a-z]+(\d+)", dtype)
    return max(1, int(bits[1]) // 8) if bits else 0


def _instruction(name: str, rest: str) -> Instruction:
    shape, rest = _split_shape(rest)
    opcode, _, rest = rest.partition("(")
    depth, end = 1, 0
    for end, character in enumerate(rest):  # noqa: B007
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            break
    inner = re.sub(r"/\*.*?\*/", "", rest[:end])
    operands = tuple(part.strip().split(" ")[-1].lstrip("%") for part in inner.split(","))
    return Instruction(name, shape, opcode.strip(), operands, rest[end + 1 :])


def _split_shape(text: str) -> tuple[str, str]:
    """A tuple's shape ends with its parenthesis, an array's with the first space."""
    if not text.startswith("("):
        shape, _, rest = text.partition(" ")
        return shape, rest
    depth = 0
    for end, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return text[: end + 1], text[end + 1 :].lstrip()
    raise ValueError(f"text: got {text[:80]!r}, expected a shape and an instruction")
