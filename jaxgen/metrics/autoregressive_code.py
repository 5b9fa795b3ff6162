"""Likelihoods that can be unzipped: images as a file that is as long as their NLL."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from jaxgen.checks import at_least
from jaxgen.metrics.bits_back import probabilities

Given: TypeAlias = Callable[[int], ArrayLike]
"""A place to the probabilities of its levels for every image of the batch, [images, levels]."""

_MAGIC = b"j1"  # the form of the file, and its version


class AutoregressiveCode(NamedTuple):
    """An autoregressive model of discrete data, as the tables that a coder reads.

    Sender and receiver must compute the same tables to the bit: one compiled program on one kind of
    machine, called on batches of one size. Another batch size, device or version may round
    differently; what it says of empty images is then refused, as a rule before anything is read.

    Attributes:
      tables: images [images, dims], known as far as the place that is asked for, to the
        probabilities of that place's levels. What it says of a place may depend on places before it
        alone, to the bit.
      dims: places of an image.
      levels: values of each, 0, 1, ...
      batch_size: images that `tables` is called with.
      order: of the places, each once; row by row if not given.
    Example:
      >>> fair = AutoregressiveCode(
      ...     tables=lambda symbols: lambda place: np.full((len(symbols), 2), 0.5),
      ...     dims=3,
      ...     levels=2,
      ...     batch_size=4,
      ... )
      >>> fair.dims
      3
    """

    tables: Callable[[Int[np.ndarray, "images dims"]], Given]
    dims: int
    levels: int
    batch_size: int
    order: tuple[int, ...] | None = None


def autoregressive_encode(
    code: AutoregressiveCode, symbols: Int[np.ndarray, "images dims"]
) -> bytes:
    """Returns a file of -sum log2 p(x) bits that `autoregressive_decode` reads back without loss.

    The file is 7 bytes longer for up to 127 images, 8 up to 16,383: how many they are, and two
    checksums of 16 bits. The coder's end takes up to 8 more. Probabilities are rounded to multiples
    of 2^-24, none to zero. Any conditionals can be written, those that look ahead too, and those of
    p that do not sum to one: such a file can be shorter than any that can be read.

    Args:
      code: what sender and receiver share.
      symbols: the level of every place of every image.
    Raises:
      ValueError: symbols have the wrong shape or type, one is not a level; a table has the wrong
        shape or holds no probabilities; the code has a count that is too small, or its order is no
        order of the places.
      ModuleNotFoundError: constriction is missing: pip install 'jaxgen[compression]'.
    Example:
      >>> uniform = lambda symbols: lambda place: np.full((len(symbols), 2), 0.5)
      >>> code = AutoregressiveCode(uniform, dims=64, levels=2, batch_size=4)
      >>> symbols = np.random.default_rng(0).integers(2, size=(100, 64))
      >>> file = autoregressive_encode(code, symbols)
      >>> 800 <= len(file) <= 815  # 6,400 bits, and at most 15 bytes more
      True
    Source: Pasco (1976) and Martin (1979) for the range coder, constriction's.
    """
    code, order = _checked(code)
    symbols = _symbols(code, symbols)
    stream = _entropy_coding()
    coder, family = stream.queue.RangeEncoder(), stream.model.Categorical(perfect=False)
    for batch in _batches(code, symbols):
        given = code.tables(_filled(code, batch))
        for place in order:
            table = _table(code, given(place), place)
            coder.encode(np.ascontiguousarray(batch[:, place]), family, table[: len(batch)])
    count = _count(len(symbols))
    message = coder.get_compressed().astype("<u4").tobytes().rstrip(b"\0")
    sums = binascii.crc_hqx(message, _fingerprint(code, count)), _sum_of(symbols)
    return _MAGIC + count + b"".join(of.to_bytes(2, "little") for of in sums) + message


def autoregressive_decode(code: AutoregressiveCode, file: bytes) -> Int[np.ndarray, "images dims"]:
    """Returns the images that `autoregressive_encode` wrote, place after place.

    The tables of every place are asked for again, with what is read so far; the places not yet read
    are zero. So a likelihood that looks ahead cannot be read: its tables change. The checksums find
    accidents; they are no protection against forgery.

    Args:
      code: what sender and receiver share.
      file: unchanged.
    Raises:
      ValueError: the file is none of these; it is damaged, or another model, program or batch size
        wrote it; or what is read is not what was written, which shows conditionals that are not
        causal; a table has the wrong shape or holds no probabilities; the code is malformed.
      ModuleNotFoundError: constriction is missing: pip install 'jaxgen[compression]'.
    Example:
      >>> uniform = lambda symbols: lambda place: np.full((len(symbols), 2), 0.5)
      >>> code = AutoregressiveCode(uniform, dims=3, levels=2, batch_size=4)
      >>> autoregressive_decode(code, autoregressive_encode(code, np.array([[0, 1, 1]]))).tolist()
      [[0, 1, 1]]
    """
    code, order = _checked(code)
    images, header, written, sum_of_symbols, message = _parsed(file)
    if binascii.crc_hqx(message, _fingerprint(code, header)) != written:
        raise ValueError(
            "file: got another checksum, expected that of its message and of this code: it is "
            "damaged, or was written by another model, program or batch size"
        )
    stream = _entropy_coding()
    words = np.frombuffer(message + bytes(-len(message) % 4), "<u4").astype(np.uint32)
    coder, family = stream.queue.RangeDecoder(words), stream.model.Categorical(perfect=False)
    read = []
    for start in range(0, images, code.batch_size):
        batch = np.zeros((code.batch_size, code.dims), np.int32)
        rows = min(code.batch_size, images - start)
        for place in order:
            table = _table(code, code.tables(batch.copy())(place), place)
            try:
                batch[:rows, place] = coder.decode(family, table[:rows])
            except AssertionError:  # no message of these tables begins so
                raise ValueError(_NOT_CAUSAL) from None
        read.append(batch[:rows])
    symbols = np.concatenate(read)
    if _sum_of(symbols) != sum_of_symbols:
        raise ValueError(_NOT_CAUSAL)
    return symbols


_NOT_CAUSAL = (
    "code: got tables with which other images are read than were written, expected those of a "
    "place to depend on the places before it alone: this is no likelihood, or it is not computed "
    "alike each time"
)


def _parsed(file: bytes) -> tuple[int, bytes, int, int, bytes]:
    """Returns how many images, the bytes that say so, the two checksums and the message."""
    if not file.startswith(_MAGIC):
        raise ValueError(f"file: got one that begins with {file[:2]!r}, expected {_MAGIC!r}")
    images, end = 0, len(_MAGIC)
    for i, byte in enumerate(file[end : end + 5]):
        images |= (byte & 127) << 7 * i
        if byte < 128:
            end += i + 1
            break
    count, rest = file[len(_MAGIC) : end], file[end:]
    if not images or count != _count(images) or len(rest) < 4:
        raise ValueError(
            f"file: got {len(file)} bytes that say {images} images, expected some images and two "
            "checksums: it is cut off"
        )
    first, second = (int.from_bytes(rest[i : i + 2], "little") for i in (0, 2))
    return images, count, first, second, rest[4:]


def _count(images: int) -> bytes:
    """Returns the number in groups of seven bits, the lowest first, all but the last marked."""
    groups = bytearray()
    while images > 127:
        groups.append(images & 127 | 128)
        images >>= 7
    return bytes([*groups, images])


def _fingerprint(code: AutoregressiveCode, count: bytes) -> int:
    """Returns a checksum of the count, the code's sizes, and what it says of empty images."""
    code, order = _checked(code)
    given = code.tables(_filled(code, np.zeros((0, code.dims), np.int32)))
    tables = [_table(code, given(place), place) for place in (order[0], order[-1])]
    sizes = repr((code.dims, code.levels, code.batch_size, order)).encode()
    return binascii.crc_hqx(count + sizes + b"".join(table.tobytes() for table in tables), 0)


def _sum_of(symbols: Int[np.ndarray, "images dims"]) -> int:
    return binascii.crc_hqx(symbols.astype("<i4").tobytes(), 0)


def _checked(code: AutoregressiveCode) -> tuple[AutoregressiveCode, tuple[int, ...]]:
    """Returns the code with Python's integers, so that equal codes have one checksum; its order."""
    dims, levels = at_least("dims", code.dims, 1), at_least("levels", code.levels, 2)
    size = at_least("batch_size", code.batch_size, 1)
    order = np.arange(dims) if code.order is None else np.asarray(code.order)
    integers = np.issubdtype(order.dtype, np.integer)
    if not integers or not np.array_equal(np.sort(order), np.arange(dims)):
        raise ValueError(f"order: got {code.order}, expected each of 0 to {dims - 1} once")
    places = tuple(order.tolist())
    return AutoregressiveCode(code.tables, dims, levels, size, places), places


def _symbols(code: AutoregressiveCode, symbols: Any) -> Int[np.ndarray, "images dims"]:
    symbols = np.asarray(symbols)
    if not np.issubdtype(symbols.dtype, np.integer):
        raise ValueError(f"symbols: got {symbols.dtype}, expected integers")
    if symbols.ndim != 2 or symbols.shape[1] != code.dims or not 0 < len(symbols) < 2**35:
        raise ValueError(
            f"symbols: got shape {symbols.shape}, expected (images, {code.dims}), one image or more"
        )
    if symbols.min() < 0 or symbols.max() >= code.levels:
        worst = symbols.min() if symbols.min() < 0 else symbols.max()
        raise ValueError(f"symbols: got {worst}, expected levels 0 to {code.levels - 1}")
    return symbols.astype(np.int32)


def _batches(code: AutoregressiveCode, symbols: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(symbols), code.batch_size):
        yield symbols[start : start + code.batch_size]


def _filled(code: AutoregressiveCode, batch: np.ndarray) -> Int[np.ndarray, "images dims"]:
    """Returns a whole batch, with zeros for the images that it lacks."""
    return np.pad(batch, ((0, code.batch_size - len(batch)), (0, 0)))


def _table(
    code: AutoregressiveCode, probs: ArrayLike, place: int
) -> Float[np.ndarray, "images levels"]:
    table = np.ascontiguousarray(probs, np.float32)
    expected = (code.batch_size, code.levels)
    if table.shape != expected:
        raise ValueError(f"tables: got shape {table.shape} at place {place}, expected {expected}")
    return probabilities("tables", table, f" at place {place}")


def _entropy_coding() -> Any:
    from constriction import stream  # type: ignore[attr-defined]

    return stream
