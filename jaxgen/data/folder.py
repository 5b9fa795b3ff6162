"""A folder of images as an image set."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxgen.checks import one_of
from jaxgen.data.augment import height_and_width
from jaxgen.data.encoded import FORMATS, MODES, decode_image
from jaxgen.data.image_set import ImageSet, from_arrays

if TYPE_CHECKING:
    from PIL.Image import Image

Unreadable = Callable[[str], None]
"""What is done with the message that names an image which cannot be read."""

_CHANNELS = {"1": 1, "L": 1, "RGB": 3, "CMYK": 3, "YCbCr": 3, "LA": 4, "PA": 4, "RGBA": 4}
"""Of Pillow's modes, in which a PNG or JPEG of 8 bits may come; a palette is looked at."""


def refuse(message: str) -> None:
    """Raises it as a ValueError.

    Example:
      >>> refuse("directory: a.png is broken")
      Traceback (most recent call last):
      ValueError: directory: a.png is broken
    """
    raise ValueError(message)


def skip(message: str) -> None:
    """Warns of it; the image is left out.

    Example:
      >>> import warnings
      >>> with warnings.catch_warnings(record=True) as said:
      ...     warnings.simplefilter("always")
      ...     skip("directory: a.png is broken")  # load_folder(..., unreadable=skip)
      >>> print(said[0].message)
      directory: a.png is broken; it is left out
    """
    warnings.warn(f"{message}; it is left out", RuntimeWarning, stacklevel=3)


class Unlike(ValueError):
    """Images of more than one size, or number of channels; the second argument says which."""

    def __str__(self) -> str:
        name, images, example = self.args
        return f"{name}: got None of {images}; expected one to convert all to, such as {example}"


def load_folder(
    directory: str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    unreadable: Unreadable = refuse,
) -> ImageSet:
    """Returns the images of a folder, in the order of their names, whole, in memory on the host.

    Every file is an image, PNG or JPEG, but hidden ones (a leading dot); folders within it are not
    entered. Photographs are turned upright as their EXIF data say, palettes become colors, and an
    alpha beside gray becomes one beside colors.

    Args:
      directory: the folder; two of them are two domains.
      size: (height, width) that every image is resized to, bicubic, whatever its proportions were;
        by default all must have one size.
      channels: 1 (gray), 3 (colors) or 4 (with alpha) to convert every image to; by default all
        must have as many.
      unreadable: what is done with the message about a file that is no such image: `refuse`, or
        `skip`, which warns.
    Raises:
      ValueError: the folder is none or has less than two images; a file is not readable (it is
        named); sizes or channels differ and are not given; or size is no pair.
    Example:
      >>> import tempfile
      >>> from PIL import Image
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     for name in ("a.png", "b.png"):
      ...         Image.new("L", (12, 10)).save(f"{folder}/{name}")  # width and height
      ...     photographs = load_folder(folder, size=(8, 8), channels=3)
      >>> photographs.images.shape
      (2, 8, 8, 3)
    """
    folder = Path(directory).expanduser()
    if not folder.is_dir():
        raise ValueError(f"directory: got {str(directory)!r}, expected a folder of images")
    if size is not None:
        size = height_and_width(size)
    if channels is not None:
        channels = one_of("channels", channels, MODES)
    entries = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    images: dict[str, np.ndarray] = {}
    for path in entries:
        if path.is_dir():
            continue
        try:
            convert = partial(_converted, size=size, channels=channels)
            images[path.name] = decode_image(path.read_bytes(), convert)
        except (OSError, ValueError) as error:
            unreadable(f"directory: {path} {error}")
    if len(images) < 2:
        raise ValueError(
            f"directory: got {len(images)} images in {folder}{folders_within(folder)}, expected "
            f"two or more, {' or '.join(FORMATS)}"
        )
    _alike("channels", {name: image.shape[2] for name, image in images.items()}, "channels=3")
    _alike("size", {name: image.shape[:2] for name, image in images.items()}, "size=(256, 256)")
    return from_arrays(np.stack([*images.values()]), levels=256, name=folder.name, split="all")


def folders_within(folder: Path) -> str:
    """Returns a remark on the folders in a folder, where there are any.

    Example:
      folders_within(Path("faces"))  # " (it has the folders test, train)"
    """
    names = [path.name for path in sorted(folder.iterdir()) if path.is_dir()]
    names = [name for name in names if not name.startswith(".")]
    return f" (it has the folders {', '.join(names)})" if names else ""


def _converted(image: Image, size: tuple[int, int] | None, channels: int | None) -> Image:
    from PIL import Image, ImageOps

    if channels is None:
        of_palette = 4 if "transparency" in image.info else 3
        channels = of_palette if image.mode == "P" else _CHANNELS[image.mode]
    upright = ImageOps.exif_transpose(image.convert(MODES[channels]))
    if size is None:
        return upright
    return upright.resize((size[1], size[0]), Image.Resampling.BICUBIC)


def _alike(name: str, of_each: dict[str, object], example: str) -> None:
    """Refuses images that differ, and names the first two of them."""
    (first, reference), *_ = of_each.items()
    for other, found in of_each.items():
        if found != reference:
            images = f"images of unlike {name}, {first} ({reference}) and {other} ({found})"
            raise Unlike(name, images, example)
