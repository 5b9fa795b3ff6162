"""One encoded image to its pixels: PNG or JPEG of 8 bits, and no other format."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

if TYPE_CHECKING:
    from PIL.Image import Image

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's names for the numbers of channels that are read."""

FORMATS = ("PNG", "JPEG")
"""The formats that TFDS writes. Of the others that Pillow knows, EPS would start Ghostscript."""


def decode_image(
    content: bytes, convert: Callable[[Image], Image]
) -> UInt8[np.ndarray, "height width channels"]:
    """Returns the pixels of one image; in an error the caller says where it lies.

    Args:
      content: of the file.
      convert: what is done to it within Pillow, to end in one of `MODES`.
    Raises:
      ValueError: it is no such image, has more than 8 bits, or is damaged.
    Example:
      >>> decode_image(Path("horse.jpg").read_bytes(), lambda image: image.convert("RGB"))
    """
    from PIL import Image, UnidentifiedImageError

    bombs = (Image.DecompressionBombError, Image.DecompressionBombWarning)
    expected = f"expected an 8-bit image, {' or '.join(FORMATS)}"
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            # Pillow would clip 16 bits to 8. A PNG begins with its header: byte 24 is the depth.
            if image.format == "PNG" and content[24] > 8:
                raise ValueError(f"has {content[24]} bits, {expected}")
            pixels = np.asarray(convert(image))
    except UnidentifiedImageError:  # Pillow's message names a buffer in memory
        raise ValueError(f"cannot be decoded (of another format), {expected}") from None
    except (OSError, SyntaxError, struct.error, MemoryError, *bombs) as error:
        raise ValueError(f"cannot be decoded ({error}), {expected}") from None
    return pixels.reshape(*pixels.shape[:2], -1)
