"""Sets prepared by TFDS: small ones written here file by file, and the real ones where they are."""

import io
import json
import mmap
import os
import re
import struct
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from array_record.python.array_record_module import ArrayRecordWriter
from PIL import Image
from tensorflow_datasets.proto import tf_example_pb2

import jaxgen.data.cache as cache_module
import jaxgen.data.prepared as prepared_module
from jaxgen.data import load

FEATURES = "tensorflow_datasets.core.features"
LABEL = {"pythonClassName": f"{FEATURES}.class_label_feature.ClassLabel", "classLabel": {}}
TEXT = {"pythonClassName": f"{FEATURES}.text_feature.Text", "text": {}}

DOMAINS = ("trainA", "trainB", "testA", "testB")


def image_feature(channels=1, dtype="uint8"):
    return {
        "pythonClassName": f"{FEATURES}.image_feature.Image",
        "image": {"shape": {"dimensions": ["-1", "-1", str(channels)]}, "dtype": dtype},
    }


def encoded(pixels, form="PNG"):
    stream = io.BytesIO()
    Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(stream, form)
    return stream.getvalue()


def png_of_16_bits(channels):
    """A PNG of 2x3 pixels, written out: Pillow cannot save one of three channels."""

    def chunk(kind, data):
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    rows = b"".join(b"\0" + bytes(range(2 * 3 * channels)) for _ in range(2))
    color = {1: 0, 3: 2}[channels]
    header = struct.pack(">IIBBBBB", 3, 2, 16, color, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def write_shard(path, images, labels, image="image"):
    writer = ArrayRecordWriter(str(path), "group_size:1")
    for pixels, label in zip(images, labels, strict=True):
        example = tf_example_pb2.Example()
        content = pixels if isinstance(pixels, bytes) else encoded(pixels)
        example.features.feature[image].bytes_list.value.append(content)
        example.features.feature["label"].int64_list.value.append(label)
        writer.write(example.SerializeToString())
    writer.close()


def write_set(root, splits, *, name="toy", version="1.0.0", features=None, shards=1, image="image"):
    """Lays a set out as TFDS does: `splits` maps a name to (images, labels)."""
    folder = root / name / version
    folder.mkdir(parents=True)
    kinds = {image: image_feature(), "label": LABEL} if features is None else features
    infos = []
    for split, (images, labels) in splits.items():
        pieces = np.array_split(np.arange(len(images)), shards)
        for k, piece in enumerate(pieces):
            file = f"{name.split('/')[0]}-{split}.array_record-{k:05d}-of-{shards:05d}"
            write_shard(folder / file, [images[i] for i in piece], labels[piece], image)
        infos.append({"name": split, "shardLengths": [str(len(piece)) for piece in pieces]})
    info = {"name": name.split("/")[0], "fileFormat": "array_record", "splits": infos}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    (folder / "features.json").write_text(json.dumps({"featuresDict": {"features": kinds}}))
    return folder


def random_split(count, seed=0, channels=1):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 5, 4, channels), np.uint8)
    return images, rng.integers(0, 10, count)


def places(value, place=()):
    """The path of every value within one of JSON."""
    yield place
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs if isinstance(value, dict | list) else ():
        yield from places(inner, (*place, key))


def replaced(value, place, junk):
    if not place:
        return junk
    copy = value.copy()
    copy[place[0]] = replaced(value[place[0]], place[1:], junk)
    return copy


@pytest.fixture(autouse=True)
def user_cache(request, tmp_path, monkeypatch):
    """Small sets get a cache directory of their own; the real ones keep the user's."""
    if "real" not in request.node.name:
        monkeypatch.delenv("JAXGEN_CACHE_DIR", raising=False)
        monkeypatch.setattr("platformdirs.user_cache_path", lambda app: tmp_path / "cache" / app)
    return tmp_path / "cache"


@pytest.fixture
def root(tmp_path):
    return tmp_path / "sets"


@pytest.fixture
def decoded(monkeypatch):
    """Counts the splits that were decoded rather than taken from the cache."""
    calls = []

    def counting(*args):
        calls.append(args)
        return real(*args)

    real = prepared_module.decode
    monkeypatch.setattr(prepared_module, "decode", counting)
    return calls


class TestReading:
    @pytest.mark.parametrize("shards", [1, 3])
    def test_what_was_written_is_read(self, root, shards):
        images, labels = random_split(13)
        write_set(root, {"test": (images, labels)}, shards=shards)
        for _ in range(2):  # decoded, then cached
            toy = load("toy", "test", data_dir=root)
            np.testing.assert_array_equal(toy.images, images)
            np.testing.assert_array_equal(toy.labels, labels)
            assert (toy.images.dtype, toy.labels.dtype) == (np.uint8, np.int32)

    def test_the_environment_names_the_place(self, root, monkeypatch):
        write_set(root, {"test": random_split(3)})
        monkeypatch.setenv("TFDS_DATA_DIR", str(root))
        assert len(load("toy", "test").images) == 3

    def test_the_domains_of_a_translation_are_splits(self, root):
        splits = {name: random_split(4, seed=i, channels=3) for i, name in enumerate(DOMAINS)}
        features = {"image": image_feature(3), "label": LABEL}
        write_set(root, splits, name="cycle_gan/toy", features=features)
        for name, (images, _) in splits.items():
            found = load("cycle_gan/toy", name, data_dir=root).images
            np.testing.assert_array_equal(found, images)

    def test_the_end_of_train_is_held_out_where_there_is_no_validation(self, root):
        images, labels = random_split(60)
        write_set(root, {"train": (images, labels), "test": random_split(6)})
        np.testing.assert_array_equal(load("toy", "train", data_dir=root).images, images[:50])
        validation = load("toy", "validation", data_dir=root)
        np.testing.assert_array_equal(validation.images, images[50:])
        np.testing.assert_array_equal(validation.labels, labels[50:])
        whole = load("toy", "train+validation", data_dir=root)
        np.testing.assert_array_equal(whole.images, images)
        np.testing.assert_array_equal(whole.labels, labels)

    def test_a_validation_split_of_its_own_is_kept(self, root):
        train, validation = random_split(12), random_split(5, seed=1)
        write_set(root, {"train": train, "validation": validation})
        np.testing.assert_array_equal(load("toy", "train", data_dir=root).images, train[0])
        np.testing.assert_array_equal(
            load("toy", "validation", data_dir=root).images, validation[0]
        )

    def test_zeros_and_ones_become_black_and_white(self, root):
        images, labels = random_split(7)
        write_set(root, {"test": (images % 2, labels)}, features={"image": image_feature()})
        toy = load("toy", "test", data_dir=root, binarization="dynamic")
        np.testing.assert_array_equal(toy.images, 255 * (images % 2))
        assert toy.binary
        assert toy.labels is None

    def test_colors_and_another_name_for_the_image(self, root):
        images, labels = random_split(4, channels=3)
        features = {"photo": image_feature(3), "caption": TEXT}
        write_set(root, {"test": (images, labels)}, features=features, image="photo")
        np.testing.assert_array_equal(load("toy", "test", data_dir=root).images, images)

    def test_a_gray_jpeg_among_color_images_gets_its_channels(self, root):
        color, labels = random_split(2, channels=3)
        gray = encoded(np.full((5, 4, 1), 77, np.uint8), "JPEG")
        features = {"image": image_feature(3), "label": LABEL}
        write_set(root, {"test": ([color[0], gray], labels)}, features=features)
        toy = load("toy", "test", data_dir=root)
        np.testing.assert_array_equal(toy.images[1], np.full((5, 4, 3), 77))

    def test_versions_and_configurations(self, root):
        for version in ("1.0.0", "1.9.0", "1.10.0"):
            write_set(root, {"test": random_split(int(version.split(".")[1]) + 1)}, version=version)
        assert len(load("toy", "test", data_dir=root).images) == 11
        assert len(load("toy:1.9.0", "test", data_dir=root).images) == 10
        write_set(root, {"test": random_split(2)}, name="pair/day2night")
        assert len(load("pair/day2night", "test", data_dir=root).images) == 2
        assert len(load("pair/day2night:1.0.0", "test", data_dir=root).images) == 2
        with pytest.raises(ValueError, match="name: got 'pair', expected one of pair/day2night"):
            load("pair", "test", data_dir=root)

    def test_no_module_that_a_set_names_is_imported(self, root, tmp_path, monkeypatch):
        (tmp_path / "trap.py").write_text("raise SystemExit('imported')")
        monkeypatch.syspath_prepend(tmp_path)
        features = {"image": image_feature(), "other": {"pythonClassName": "trap.Feature"}}
        write_set(root, {"test": random_split(3)}, features=features)
        assert len(load("toy", "test", data_dir=root).images) == 3


def kept_in(user_cache):
    """The one file that the cache holds."""
    (path,) = user_cache.rglob("*.npy")
    return path


def owner(array):
    """Whose memory it is."""
    return owner(array.base) if isinstance(array, np.ndarray) else array


class TestCache:
    def test_a_second_load_decodes_nothing(self, root, decoded, user_cache):
        folder = write_set(root, {"test": random_split(9)})
        before = sorted(folder.iterdir())
        first, second = (load("toy", "test", data_dir=root) for _ in range(2))
        np.testing.assert_array_equal(first.images, second.images)
        np.testing.assert_array_equal(first.labels, second.labels)
        assert len(decoded) == 1
        assert sorted(folder.iterdir()) == before
        assert kept_in(user_cache).is_relative_to(user_cache / "jaxgen")

    def test_images_are_mapped_and_cannot_be_changed(self, root):
        write_set(root, {"train": random_split(60)})
        for split in ("train", "validation", "train[:10]"):
            images = load("toy", split, data_dir=root).images
            assert isinstance(owner(images), mmap.mmap)
            with pytest.raises(ValueError, match="read-only"):
                images[0] = 0

    def test_the_bytes_are_read_once(self, root, user_cache, monkeypatch):
        """The stamp stands for them until the file has another size or time."""
        digests, digest = [], cache_module._File._digest
        monkeypatch.setattr(
            cache_module._File, "_digest", lambda *of: digests.append(0) or digest(*of)
        )
        write_set(root, {"test": random_split(9)})
        for _ in range(3):
            load("toy", "test", data_dir=root)
        assert len(digests) == 1  # when it was written
        path = kept_in(user_cache)
        os.utime(path, (1, 1))
        for _ in range(2):
            load("toy", "test", data_dir=root)
        assert len(digests) == 2
        next(path.parent.glob("*.checked")).unlink()
        for _ in range(2):
            load("toy", "test", data_dir=root)
        assert len(digests) == 3

    def test_any_flipped_byte_is_noticed_and_repaired(self, root, decoded, user_cache):
        write_set(root, {"test": random_split(9)})
        images = load("toy", "test", data_dir=root).images
        path = kept_in(user_cache)
        whole = path.read_bytes()
        images = np.array(images)
        for place in (0, 60, 200, len(whole) - 1):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            np.testing.assert_array_equal(load("toy", "test", data_dir=root).images, images)
            assert path.read_bytes() == whole
        for short in (b"", whole[:20], whole[:-1]):
            path.write_bytes(short)
            np.testing.assert_array_equal(load("toy", "test", data_dir=root).images, images)
        assert len(decoded) == 8

    def test_a_set_prepared_again_is_not_served_stale(self, root):
        folder = write_set(root, {"test": random_split(9)})
        load("toy", "test", data_dir=root)
        images, labels = random_split(9, seed=1)
        write_shard(next(folder.glob("*.array_record-*")), images, labels)
        np.testing.assert_array_equal(load("toy", "test", data_dir=root).images, images)

    def test_the_environment_names_another_place(self, root, decoded, user_cache, monkeypatch):
        monkeypatch.setenv("JAXGEN_CACHE_DIR", str(user_cache / "elsewhere"))
        write_set(root, {"test": random_split(9)})
        for _ in range(2):
            load("toy", "test", data_dir=root)
        assert len(decoded) == 1
        assert kept_in(user_cache).is_relative_to(user_cache / "elsewhere")

    def test_nowhere_to_write_is_said_and_harmless(self, root, user_cache):
        images, labels = random_split(9)
        write_set(root, {"test": (images, labels)})
        user_cache.write_text("a file where a directory should be")
        with pytest.warns(RuntimeWarning, match="could not be kept in .*JAXGEN_CACHE_DIR"):
            toy = load("toy", "test", data_dir=root)
        np.testing.assert_array_equal(toy.images, images)


class TestRefusals:
    @pytest.mark.parametrize("kept", [0.0, 0.3, 0.999])
    @pytest.mark.parametrize("shards", [1, 2])
    def test_a_truncated_file_is_named_and_never_cached(self, root, user_cache, kept, shards):
        folder = write_set(root, {"test": random_split(400)}, shards=shards)
        path = sorted(folder.glob("*.array_record-*"))[-1]
        content = path.read_bytes()
        path.write_bytes(content[: int(kept * len(content))])
        for _ in range(2):
            with pytest.raises(ValueError, match=f"data_dir: {re.escape(str(path))} is truncated"):
                load("toy", "test", data_dir=root)
        assert not [*folder.glob("*.npy"), *user_cache.rglob("*.npy")]

    def test_a_shorter_file_is_named(self, root):
        folder = write_set(root, {"test": random_split(9)})
        path = next(folder.glob("*.array_record-*"))
        write_shard(path, *random_split(8))
        with pytest.raises(ValueError, match=r"test\.array_record.* holds 8 examples, .* the 9"):
            load("toy", "test", data_dir=root)

    def test_a_missing_file_is_named(self, root):
        folder = write_set(root, {"test": random_split(9)})
        next(folder.glob("*.array_record-*")).unlink()
        with pytest.raises(ValueError, match=r"data_dir: .*toy-test\.array_record.* cannot be"):
            load("toy", "test", data_dir=root)

    def test_files_outside_the_set_are_refused(self, root):
        folder = write_set(root, {"train": random_split(6)})
        path = folder / "dataset_info.json"
        info = json.loads(path.read_text())
        info["splits"][0]["filepathTemplate"] = "../elsewhere-{SPLIT}.{FILEFORMAT}"
        path.write_text(json.dumps(info))
        with pytest.raises(ValueError, match="names a file outside itself"):
            load("toy", "train", data_dir=root)

    @pytest.mark.parametrize("file", ["dataset_info.json", "features.json"])
    @pytest.mark.parametrize("junk", [None, "½", [[3]], {"x": 1}, 10**12], ids=repr)
    def test_any_value_of_another_kind_is_refused_by_file_and_place(self, root, file, junk):
        path = write_set(root, {"test": random_split(3)}) / file
        whole = json.loads(path.read_text())
        messages = []
        for place in places(whole):
            path.write_text(json.dumps(replaced(whole, place, junk)))
            try:
                load("toy", "test", data_dir=root)
            except ValueError as error:
                messages.append(str(error))
        form = r"data_dir: .*toy|name: got .toy|split: got .test"
        assert [message for message in messages if not re.match(form, message)] == []
        assert len(messages) >= 5

    @pytest.mark.parametrize(
        ("count", "message"),
        [
            (10**12, r"test\.array_record.* holds 3 examples, expected the 1000000000000"),
            (0, r"has no example in the split 'test'"),
            (-1, r"has -1 at \.splits\[0\]\.shardLengths\[0\], expected a whole number"),
        ],
    )
    def test_counts_are_compared_before_memory_is_taken(self, root, count, message):
        folder = write_set(root, {"test": random_split(3)})
        path = folder / "dataset_info.json"
        info = json.loads(path.read_text())
        info["splits"][0]["shardLengths"] = [count]
        path.write_text(json.dumps(info))
        with pytest.raises(ValueError, match=message):
            load("toy", "test", data_dir=root)

    def test_a_record_that_is_no_example_is_named(self, root):
        folder = write_set(root, {"test": random_split(2)})
        (path,) = folder.glob("*.array_record-*")
        writer = ArrayRecordWriter(str(path), "group_size:1")
        for record in (tf_example_pb2.Example().SerializeToString(), b"\xff\xff"):
            writer.write(record)
        writer.close()
        with pytest.raises(ValueError, match=r"data_dir: record 0 of .* is no example with an im"):
            load("toy", "test", data_dir=root)

    def test_an_image_too_large_to_be_true_is_refused(self, root, monkeypatch):
        monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 15)  # of 89,478,485
        write_set(root, {"test": random_split(2)})  # of 20 pixels, which would only be warned of
        with pytest.raises(ValueError, match=r"record 0 of .* decompression bomb"):
            load("toy", "test", data_dir=root)

    @pytest.mark.parametrize("file", ["dataset_info.json", "features.json"])
    def test_broken_metadata_is_named(self, root, file):
        folder = write_set(root, {"test": random_split(9)})
        (folder / file).write_text("{")
        with pytest.raises(ValueError, match=f"data_dir: .*{file} cannot be read"):
            load("toy", "test", data_dir=root)

    def test_another_file_format_says_what_to_do(self, root):
        folder = write_set(root, {"test": random_split(9)})
        info = json.loads((folder / "dataset_info.json").read_text())
        (folder / "dataset_info.json").write_text(json.dumps({**info, "fileFormat": "tfrecord"}))
        with pytest.raises(ValueError, match=r"as tfrecord, .* expected array_record.*run: pip"):
            load("toy", "test", data_dir=root)

    @pytest.mark.parametrize(
        ("features", "message"),
        [
            (
                {"label": LABEL, "text": TEXT},
                r"one image feature.* \(label: ClassLabel, text: Text",
            ),
            ({"a": image_feature(), "b": image_feature()}, "one image feature"),
            ({"image": image_feature(dtype="uint16")}, "with uint16 images of 1 channels"),
            ({"image": image_feature(channels=2)}, "with uint8 images of 2 channels"),
        ],
    )
    def test_a_set_without_8_bit_images_says_so(self, root, features, message):
        write_set(root, {"test": random_split(3)}, features=features)
        with pytest.raises(ValueError, match=message):
            load("toy", "test", data_dir=root)

    def test_images_of_several_sizes_are_refused(self, root):
        images = [np.zeros((5, 4, 1), np.uint8), np.zeros((5, 5, 1), np.uint8)]
        write_set(root, {"test": (images, np.zeros(2, int))})
        with pytest.raises(ValueError, match="images have one size"):
            load("toy", "test", data_dir=root)

    def test_no_program_is_started_on_what_a_record_holds(self, root, tmp_path, monkeypatch):
        """Pillow draws EPS, a program of its own, by Ghostscript: `gs`."""
        decoy = tmp_path / "bin" / "gs"
        decoy.parent.mkdir()
        decoy.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
        decoy.chmod(0o755)
        monkeypatch.setenv("PATH", str(decoy.parent), prepend=os.pathsep)
        monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)  # not looked for yet
        (pixels,), _ = random_split(1, channels=3)
        records = [encoded(pixels), encoded(pixels, "EPS")]
        folder = write_set(
            root, {"test": (records, np.zeros(2, int))}, features={"image": image_feature(3)}
        )
        (path,) = folder.glob("*.array_record-*")
        message = f"data_dir: record 1 of {re.escape(str(path))} cannot .* 8-bit image, PNG or JPEG"
        with pytest.raises(ValueError, match=message):
            load("toy", "test", data_dir=root)
        assert not (tmp_path / "started").exists()

    @pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF"])
    def test_other_formats_are_refused(self, root, form):
        (pixels,), labels = random_split(1)
        write_set(root, {"test": ([encoded(pixels, form)], labels)})
        with pytest.raises(
            ValueError, match=r"record 0 of .* expected an 8-bit image, PNG or JPEG"
        ):
            load("toy", "test", data_dir=root)

    @pytest.mark.parametrize("kept", [0, 20, 60])
    @pytest.mark.parametrize("form", ["PNG", "JPEG"])
    def test_a_broken_image_is_named(self, root, form, kept):
        (pixels,), labels = random_split(1)
        whole = encoded(np.tile(pixels, (9, 9, 1)), form)
        write_set(root, {"test": ([whole[:kept]], labels)})
        with pytest.raises(ValueError, match=r"record 0 of .* cannot be decoded"):
            load("toy", "test", data_dir=root)

    @pytest.mark.parametrize("channels", [1, 3])
    def test_an_image_of_16_bits_is_refused_rather_than_clipped(self, root, channels):
        features = {"image": image_feature(channels)}
        write_set(root, {"test": ([png_of_16_bits(channels)], np.zeros(1, int))}, features=features)
        with pytest.raises(
            ValueError, match=r"record 0 of .* has 16 bits, expected an 8-bit image"
        ):
            load("toy", "test", data_dir=root)

    @pytest.mark.parametrize("label", [2**32 + 3, -(2**31) - 1])
    def test_a_label_beyond_int32_is_refused_rather_than_wrapped(self, root, label):
        images, _ = random_split(2)
        write_set(root, {"test": (images, np.array([3, label]))})
        with pytest.raises(ValueError, match=f"record 1 of .* label {label}, expected an int32"):
            load("toy", "test", data_dir=root)

    def test_without_array_record_the_error_says_what_to_install(self, root, monkeypatch):
        write_set(root, {"test": random_split(3)})
        monkeypatch.setitem(sys.modules, "array_record.python.array_record_module", None)
        with pytest.raises(ModuleNotFoundError, match=r"reads prepared sets.*pip install"):
            load("toy", "test", data_dir=root)

    def test_an_unknown_name_lists_what_there_is(self, root):
        write_set(root, {"test": random_split(3)})
        with pytest.raises(ValueError, match=r"name: got 'nope', expected digits .*\(toy\)"):
            load("nope", "train", data_dir=root)

    @pytest.mark.parametrize("name", ["cifar10", "cycle_gan/horse2zebra"])
    def test_a_tfds_set_that_is_not_there_says_what_to_run(self, tmp_path, name):
        with pytest.raises(ValueError, match="not prepared in") as caught:
            load(name, "train", data_dir=tmp_path)
        assert "pip install 'jaxgen[prepare]'" in str(caught.value)
        assert f"tfds.builder('{name}', data_dir='{tmp_path}'" in str(caught.value)

    @pytest.mark.parametrize("name", ["../toy", "/etc", "toy/../toy", "toy/..", "", "toy:1", "a b"])
    def test_a_name_that_is_a_path_is_refused(self, root, name):
        write_set(root, {"test": random_split(3)})
        with pytest.raises(ValueError, match=r"name: got .* expected digits or a TFDS name"):
            load(name, "test", data_dir=root / "toy")

    @pytest.mark.parametrize("name", ["digits", "toy"])
    def test_a_data_dir_that_is_a_file_is_refused(self, tmp_path, name):
        file = tmp_path / "file"
        file.touch()
        with pytest.raises(ValueError, match=r"data_dir: got .*, which is a file"):
            load(name, "train", data_dir=file)

    def test_an_unknown_split_lists_the_known(self, root):
        write_set(root, {"trainA": random_split(3), "testA": random_split(2)})
        with pytest.raises(ValueError, match=r"got 'train', .* trainA \(3 images\), testA \(2"):
            load("toy", "train", data_dir=root)


PLACE = os.environ.get("TFDS_DATA_DIR", "")
needs = {
    name: pytest.mark.skipif(
        not PLACE or not (Path(PLACE) / name).is_dir(),
        reason=f"needs {name} prepared in TFDS_DATA_DIR",
    )
    for name in ("mnist", "fashion_mnist", "binarized_mnist")
}


@needs["mnist"]
class TestRealMnist:
    def test_real_mnist_is_mnist(self):
        train, test = load("mnist", "train+validation"), load("mnist", "test")
        assert train.images.shape == (60_000, 28, 28, 1)
        assert test.images.shape == (10_000, 28, 28, 1)
        assert round(float(train.images.mean()), 2) == 33.32
        assert round(float(test.images.mean()), 2) == 33.79
        # Digits of each class in the IDX files, as LeCun's page and Keras count them.
        counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
        assert np.bincount(train.labels).tolist() == counts
        assert len(load("mnist", "train").images) == 50_000
        assert len(load("mnist", "validation").images) == 10_000

    def test_real_60_000_images_load_again_within_a_second(self):
        load("mnist", "train+validation")
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            load("mnist", "train+validation")
            seconds.append(time.perf_counter() - start)
        assert min(seconds) < 1.0


@needs["fashion_mnist"]
def test_real_fashion_mnist_is_not_mnist():
    # Prepared beside mnist from archives of the same name, it silently becomes a copy of it.
    test = load("fashion_mnist", "test")
    assert round(float(test.images.mean()), 2) == 73.15
    assert np.bincount(test.labels).tolist() == [1000] * 10


@needs["binarized_mnist"]
def test_real_binarized_mnist_is_black_and_white():
    test = load("binarized_mnist", "test", binarization="dynamic")
    assert test.images.shape == (10_000, 28, 28, 1)
    assert test.labels is None
    assert test.binary
