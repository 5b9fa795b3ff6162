"""Encoded images of array_record files to arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from jaxgen.data.encoded import MODES, decode_image
from jaxgen.data.image_set import as_pixels
from jaxgen.data.splits import Arrays

_INT32 = np.iinfo(np.int32)


class Features(NamedTuple):
    """What to read of each example: its image, of so many channels, and its label if it has one."""

    image: str
    channels: int
    label: str | None


def decode(shards: dict[Path, int], features: Features) -> Arrays:
    """Returns all images and labels in `shards`, each a file with the count it must hold.

    Raises:
      ValueError: a file is missing, truncated or damaged; a record holds no PNG or JPEG image of 8
        bits, or a label that is no int32; or the images differ in size.
    Example:
      >>> decode({Path("a.array_record-00000-of-00001"): 10_000}, Features("image", 1, "label"))
    """
    import tensorflow_datasets as tfds
    from tqdm import tqdm

    kinds: dict[str, Any] = {features.image: tfds.features.Image(shape=(None, None, None))}
    if features.label:
        kinds[features.label] = tfds.features.ClassLabel()
    parse = tfds.features.FeaturesDict(kinds).deserialize_example_np
    _same_counts(shards)  # before memory is taken for so many
    # Pillow decodes, to the declared channels: TFDS would leave a gray JPEG among color ones gray.
    encoded: Any = {features.image: tfds.decode.SkipDecoding()}
    total = sum(shards.values())
    # On a terminal alone, and gone when it is done.
    progress = tqdm(_records(shards), "Decoding images, once", total, leave=False, disable=None)
    images, labels = np.empty(0, np.uint8), np.empty(total, np.int32)
    for i, (place, record) in enumerate(progress):
        try:
            example: Any = parse(record, decoders=encoded)
            content = bytes(example[features.image])
            label = int(example[features.label]) if features.label else 0
        except Exception as error:  # of the parsers, any
            raise ValueError(
                f"data_dir: {place} is no example with an image and what else features.json says "
                f"({type(error).__name__}: {error})"
            ) from None
        pixels = _pixels(place, content, features.channels)
        if i == 0:
            images = _empty(place, total, pixels.shape)
        if pixels.shape != images.shape[1:]:
            raise ValueError(
                f"data_dir: {place} is an image of shape {pixels.shape} after {i} of "
                f"{images.shape[1:]}, expected a set whose images have one size"
            )
        images[i] = pixels
        if features.label:
            if not _INT32.min <= label <= _INT32.max:
                raise ValueError(f"data_dir: {place} has the label {label}, expected an int32")
            labels[i] = label
    return Arrays(as_pixels(images), labels if features.label else None)


def _pixels(
    place: str, content: bytes, channels: int
) -> UInt8[np.ndarray, "height width channels"]:
    """Decodes one image; `place` says in errors where it lies."""
    try:
        return decode_image(content, lambda image: image.convert(MODES[channels]))
    except ValueError as error:
        raise ValueError(f"data_dir: {place} {error}") from None


def _empty(place: str, total: int, shape: tuple[int, ...]) -> UInt8[np.ndarray, "..."]:
    try:
        return np.empty((total, *shape), np.uint8)
    except MemoryError as error:
        raise ValueError(f"data_dir: {place} is the first of too many images: {error}") from None


def _same_counts(shards: dict[Path, int]) -> None:
    """Refuses a file that does not hold the examples that it must."""
    for path, count in shards.items():
        found = _read(path, lambda reader: reader.num_records())
        if found != count:
            raise ValueError(
                f"data_dir: {path} holds {found} examples, expected the {count} that "
                "dataset_info.json says; prepare the set again"
            )


def _records(shards: dict[Path, int]) -> Iterator[tuple[str, bytes]]:
    """Each record after the words that say where it lies."""
    for path in shards:
        records = _read(path, lambda reader: reader.read_all())
        yield from ((f"record {i} of {path}", record) for i, record in enumerate(records))


def _read(path: Path, ask: Callable[[Any], Any]) -> Any:
    """Returns what the reader of a file answers."""
    try:
        from array_record.python.array_record_module import ArrayRecordReader
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "array_record, which reads prepared sets, is not installed: pip install array-record "
            "(there are wheels for Linux and macOS; on Windows use WSL)",
            name=error.name,
        ) from None
    try:
        reader = ArrayRecordReader(str(path))
        answer = ask(reader)
        reader.close()
    except RuntimeError as error:
        raise ValueError(
            f"data_dir: {path} is truncated or damaged ({error}); prepare the set again"
        ) from None
    return answer
