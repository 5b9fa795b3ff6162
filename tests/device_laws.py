"""What holds of a program that is compiled for accelerators, as XLA's text of it says.

Each law is of one program; a deliberately broken one must be rejected: `with rejected(): ...`.
"""

import math
import re

import jax
from laws import LawBroken

from benchmarks.hlo import collectives, num_bytes, parse

FROM_AND_TO_THE_HOST = ("send", "recv", "infeed", "outfeed")
PRODUCTS = ("dot", "convolution", "ragged-dot")


def assert_sums_alone(text, steps, count, least, most):
    """Between devices, every step sends `count` all-reduces, of `least` to `most` numbers in all.

    Data parallelism asks for the sum of the gradients, and of what else is summed over the batch:
    the info's terms, batch statistics. Nothing is gathered, and nothing outside the steps.
    """
    program = parse(text)
    found = collectives(program)
    if found != {"all-reduce": steps * count}:
        raise LawBroken(f"collectives of {steps} steps: {found}, not {count} all-reduces a step")
    reduces = [
        (each, times)
        for each, times in program.executed()
        if each.opcode in ("all-reduce", "all-reduce-start")
    ]
    if {dtype for each, _ in reduces for dtype in re.findall(r"([a-z]+\d*)\[", each.shape)} != {
        "f32"
    }:
        raise LawBroken(f"sums of {[each.shape for each, _ in reduces]}, not of float32 alone")
    numbers = sum(num_bytes(each.shape) * times for each, times in reduces) / 4 / steps
    if not least <= numbers <= most:
        raise LawBroken(f"{numbers} numbers are summed in a step, not {least} to {most}")


def assert_single_precision(lowered):
    """No number has 64 bits of floating point; a TPU would emulate them, under another name."""
    if "f64" in lowered.as_text():
        raise LawBroken("a float64")


def assert_stays_on_the_devices(text):
    """Nothing is sent to the host or received: no callback, no print, no array left there."""
    for each, _ in parse(text).executed():
        opcode = each.opcode.removesuffix("-done").removesuffix("-start")
        target = re.search(
            r'custom_call_target="([^"]*(?:callback|[Hh]ost)[^"]*)"', each.attributes
        )
        if opcode in FROM_AND_TO_THE_HOST or target:
            raise LawBroken(f"{each.name}: {each.opcode} between device and host")


def assert_donated(text, state):
    """The new state takes the place of the old, array by array."""
    header = text.splitlines()[0]
    aliases = re.search(r"input_output_alias=\{(.*?) \}, entry", header)
    given = set(re.findall(r"\((\d+), \{\}", aliases[1])) if aliases else set()
    missing = set(map(str, range(len(jax.tree.leaves(state))))) - given
    if missing:
        raise LawBroken(f"arrays {sorted(missing)} of the state are kept beside the new one")


def assert_within(compiled, mebibytes):
    """One device holds the program's arguments, results and temporaries in so much memory."""
    found = compiled.memory_analysis()
    held = found.argument_size_in_bytes + found.output_size_in_bytes + found.temp_size_in_bytes
    held = (held - found.alias_size_in_bytes) / 2**20
    if not 0 < held <= mebibytes:
        raise LawBroken(f"{held:.1f} MiB on each device, not at most {mebibytes}")


def assert_highest(text):
    """Every product is of the highest precision: neither bfloat16 nor tf32."""
    products = [
        each for of in parse(text).computations.values() for each in of if each.opcode in PRODUCTS
    ]
    if not products:
        raise LawBroken("no product at all")
    for each in products:
        if "operand_precision={highest,highest}" not in each.attributes:
            raise LawBroken(f"{each.name}: {each.shape} at the default precision")


def assert_convolutions(lowered, count):
    """The program has `count` convolutions, and makes none of a product of patches."""
    text = lowered.as_text()
    found = text.count("stablehlo.convolution")
    if found != count:
        raise LawBroken(f"{found} convolutions, not {count}")


def num_params(tree):
    """How many numbers the arrays of `tree` hold."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))
