"""A folder of images as a set of its own, with images held out by a fixed rule."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

from jaxgen.data.cache import cached
from jaxgen.data.folder import Unlike, folders_within, load_folder
from jaxgen.data.splits import Arrays, Source

FOLDER = "folder:"
"""Before the path of a folder, where a set's name is asked for."""


def of_folder(name: str) -> Source:
    """Returns the images of `folder:PATH` as `train` and `test`.

    They are ordered by the SHA-256 of their names; the first n // 7, at most 10,000, are `test`.

    Raises:
      ValueError: there is no such folder, it has less than 7 images, a file in it is none, or they
        are unlike.
    Example:
      >>> of_folder("folder:~/faces").sizes  # {"train": 600, "test": 100}
    """
    folder = Path(name.removeprefix(FOLDER)).expanduser()
    if not folder.is_dir():
        raise ValueError(f"name: got {name!r}, expected a folder of images after {FOLDER!r}")
    files = []
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            status = path.stat()
            files.append([path.name, status.st_size, status.st_mtime_ns])
    if len(files) < 7:
        within = folders_within(folder)
        raise ValueError(f"name: got {name!r} with {len(files)} images{within}, expected 7 or more")
    order = sorted(range(len(files)), key=lambda i: sha256(files[i][0].encode()).digest())
    test = min(10_000, len(files) // 7)

    def decode() -> Arrays:
        try:
            return Arrays(load_folder(folder).images[order], None)
        except Unlike as error:
            raise ValueError(
                f"name: got {name!r} with {error.args[1]}, expected all of one size and as many "
                "channels"
            ) from None
        except ValueError as error:
            raise ValueError(
                f"name: got {name!r}, expected a folder of nothing but images ({error})"
            ) from None

    def read(split: str) -> Arrays:
        # What tells files from ones that replaced them, short of reading them: size and time.
        origin = json.dumps(["jaxgen 1", files])
        images, labels = cached(folder, "jaxgen-folder", origin, decode)
        return Arrays(images[:test] if split == "test" else images[test:], labels)

    return Source({"train": len(files) - test, "test": test}, read)
