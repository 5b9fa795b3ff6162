"""Image sets that TFDS prepared on disk, read without TensorFlow and without running their code."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from jaxgen.data.cache import cached
from jaxgen.data.decode import Features, decode
from jaxgen.data.encoded import MODES
from jaxgen.data.metadata import Node, read_json
from jaxgen.data.splits import Arrays, Source

_NAME = re.compile(
    r"(?P<set>[a-z]\w*)(/(?P<config>\w[\w.+-]*))?(:(?P<version>\d+\.\d+\.\d+))?", re.ASCII
)
_IMAGE = "tensorflow_datasets.core.features.image_feature.Image"
_LABEL = "tensorflow_datasets.core.features.class_label_feature.ClassLabel"


def data_root(data_dir: str | os.PathLike[str] | None) -> Path:
    """Returns where prepared sets lie: `data_dir`, else TFDS_DATA_DIR, else TFDS's own default.

    Raises:
      ValueError: it is a file.
    """
    root = Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()
    if root.exists() and not root.is_dir():
        raise ValueError(f"data_dir: got {str(root)!r}, which is a file; expected a directory")
    return root


def prepared(name: str, root: Path) -> Source:
    """Returns the set that TFDS prepared as `name` under `root`; see `jaxgen.data.load`.

    Raises:
      ValueError: there is no such set, or it holds no 8-bit images or is not in array_record; and,
        when a split is read, a file of it is missing, truncated or damaged.
    Example:
      >>> prepared("mnist", data_root(None)).sizes  # {"train": 60000, "test": 10000}
    """
    folder = _folder(name, root)
    info, declared = read_json(folder / "dataset_info.json"), read_json(folder / "features.json")
    form = info.get("fileFormat", None).value
    others = [other.value for other in info.get("alternativeFileFormats", []).items()]
    if "array_record" not in [form, *others]:
        raise ValueError(
            f"name: got {name!r}, prepared in {folder} as {form}, which needs "
            f"TensorFlow to be read; expected array_record. With a new data_dir, {_recipe(name)}"
        )
    features = _features(name, declared)
    splits = info.get("splits", []).items()
    shards = {split.get("name").text(): _shards(folder, info, split) for split in splits}

    def read(split: str) -> Arrays:
        if not sum(shards[split].values()):
            raise ValueError(f"data_dir: {info.file} has no example in the split {split!r}")
        # What tells files from ones that replaced them, short of reading them: size and time.
        files = [[path.name, *_size_and_time(path)] for path in shards[split]]
        origin = json.dumps(["jaxgen 1", files, info.value, declared.value], sort_keys=True)
        return cached(folder, f"jaxgen-{split}", origin, lambda: decode(shards[split], features))

    return Source({split: sum(counts.values()) for split, counts in shards.items()}, read)


def _folder(name: str, root: Path) -> Path:
    """The directory of the newest version, or of the one that `name` asks for."""
    spelling = _NAME.fullmatch(name)
    if spelling is None:
        raise ValueError(
            f"name: got {name!r}, expected digits or a TFDS name: set, set/config or set:1.2.3; or "
            "folder:PATH"
        )
    folder = root / spelling["set"] / (spelling["config"] or "")
    versions = {
        tuple(map(int, path.parent.name.split("."))): path.parent
        for path in folder.glob(f"{spelling['version'] or '*'}/dataset_info.json")
        if re.fullmatch(r"\d+\.\d+\.\d+", path.parent.name)
    }
    if versions:
        return versions[max(versions)]
    configs = {f"{name}/{path.parts[-3]}" for path in folder.glob("*/*/dataset_info.json")}
    if configs and name == spelling["set"]:
        raise ValueError(f"name: got {name!r}, expected one of {', '.join(sorted(configs))}")
    raise ValueError(_not_prepared(name, spelling["set"], root))


def _not_prepared(name: str, set_name: str, root: Path) -> str:
    import tensorflow_datasets as tfds

    if set_name in tfds.list_builders(with_community_datasets=False):
        return (
            f"name: got {name!r}, a TFDS set that is not prepared in {root}. Pass the data_dir (or "
            "set TFDS_DATA_DIR) that holds it, or, once and with a network, "
            + _recipe(name, str(root))
        )
    infos = [*root.glob("*/*/dataset_info.json"), *root.glob("*/*/*/dataset_info.json")]
    here = sorted({path.relative_to(root).parts[0] for path in infos})
    return (
        f"name: got {name!r}, expected digits (embedded), a set prepared in {root} "
        f"({', '.join(here) or 'none yet'}), another image set of TFDS by its name there "
        "(https://www.tensorflow.org/datasets/catalog/overview), or folder:PATH"
    )


def _recipe(name: str, root: str = "NEW_DATA_DIR") -> str:
    return (
        "run: pip install 'jaxgen[prepare]' && python -c \"import tensorflow_datasets as tfds; "
        f"tfds.builder('{name}', data_dir='{root}', file_format='array_record')"
        '.download_and_prepare()"'
    )


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # of a name that no file can have
        raise ValueError(f"data_dir: {path} cannot be read ({error})") from None
    return status.st_size, status.st_mtime_ns


def _shards(folder: Path, info: Node, split: Node) -> dict[Path, int]:
    """Each file of a split with the number of examples that it must hold."""
    import tensorflow_datasets as tfds

    counts = [length.number() for length in split.get("shardLengths", []).items()]
    template = split.get("filepathTemplate", "").text()
    name = info.get("name").text()
    try:
        files = tfds.core.ShardedFileTemplate(
            data_dir=folder,  # pyright: ignore[reportArgumentType]
            template=template,
            dataset_name=name,
            split=split.get("name").text(),
            filetype_suffix="array_record",
        )
        paths = [Path(path) for path in files.sharded_filepaths(num_shards=len(counts))]
    except (ValueError, KeyError) as error:
        raise split.refusal(f"a split whose files can be named ({error})") from None
    for path in paths:
        if os.path.dirname(os.path.abspath(path)) != os.path.abspath(folder):
            raise ValueError(f"data_dir: {folder} names a file outside itself, {path}")
    return dict(zip(paths, counts, strict=True))


def _features(name: str, declared: Node) -> Features:
    # Read here rather than by TFDS, which would import whatever module the file names.
    kinds = declared.get("featuresDict", {}).get("features", {})
    classes = {key: kinds.get(key).get("pythonClassName", None).value for key in kinds.members()}
    images = [key for key in classes if classes[key] == _IMAGE]
    if "image" not in images and len(images) != 1:
        listed = ", ".join(f"{key}: {str(path).split('.')[-1]}" for key, path in classes.items())
        raise ValueError(
            f"name: got {name!r}, expected a set with one image feature, or one called image, "
            f"among its features ({listed})"
        )
    image = "image" if "image" in images else images[0]
    pixels = kinds.get(image).get("image")
    kind, sizes = pixels.get("dtype", None).value, pixels.get("shape", {}).get("dimensions", [0])
    if len(sizes.items()) == 0:
        raise sizes.refusal("three sizes")
    channels = sizes.items()[-1].number()
    if kind != "uint8" or channels not in MODES:
        raise ValueError(
            f"name: got {name!r} with {kind} images of {channels} channels, "
            f"expected uint8 images of {', '.join(map(str, MODES))} channels"
        )
    return Features(image, channels, "label" if classes.get("label") == _LABEL else None)
