"""A folder of images by name: which are held out, and what is refused."""

from hashlib import sha256

import numpy as np
import pytest
from PIL import Image

from jaxgen.data import load


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXGEN_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(folder, count, size=(4, 5), start=0):
    """Images whose first pixel is their number; names begin in capitals, numbers are not sorted."""
    folder.mkdir(exist_ok=True)
    for i in range(start, start + count):
        pixels = np.random.default_rng(i).integers(0, 256, (*size, 3), np.uint8)
        pixels[0, 0, 0] = i
        Image.fromarray(pixels).save(folder / f"Image {i}.png")
    return folder


def numbers(folder, split):
    return load(f"folder:{folder}", split).images[:, 0, 0, 0].tolist()


def test_the_splits_are_those_of_the_rule(tmp_path):
    """n // 7 by the digest of their names, then the last sixth of the rest, as of any set."""
    folder = write(tmp_path / "faces", 23)
    (folder / ".hidden").write_bytes(b"")
    order = sorted(range(23), key=lambda i: sha256(f"Image {i}.png".encode()).hexdigest())
    assert numbers(folder, "test") == order[:3]
    assert numbers(folder, "train") == order[3:20]
    assert numbers(folder, "validation") == order[20:]
    assert numbers(folder, "train+validation+test") == [*order[3:], *order[:3]]
    train = load(f"folder:{folder}", "train", binarization="dynamic")
    assert (train.levels, train.labels, train.split) == (2, None, "train")
    assert train.name == f"folder:{folder}"
    for i, image in zip(order[3:20], train.images, strict=True):
        with Image.open(folder / f"Image {i}.png") as written:
            np.testing.assert_array_equal(image, np.asarray(written))


def test_decoded_once_and_anew_when_it_has_changed(tmp_path, cache, monkeypatch):
    folder = write(tmp_path / "faces", 7)
    first = numbers(folder, "train+validation+test")
    with monkeypatch.context() as broken:
        broken.setattr("jaxgen.data.folder_splits.load_folder", None)
        assert numbers(folder, "train+validation+test") == first
    write(folder, 1, start=7)
    assert sorted(numbers(folder, "train+validation+test")) == [*range(8)]
    assert len(list(cache.rglob("*.npy"))) == 1
    assert {path.suffix for path in folder.iterdir()} == {".png"}


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (0, "expected a folder of images after 'folder:'"),
        (6, "with 6 images, expected 7 or more"),
        (8, r"with images of unlike size, Image 0\.png .* and Image 7\.png .*, expected all of o"),
    ],
)
def test_what_is_no_such_folder_is_refused(tmp_path, count, message):
    folder = tmp_path / "faces"
    if count:
        write(folder, min(count, 7))
        write(folder, count - 7, size=(6, 5), start=7)
    with pytest.raises(ValueError, match=f"name: got 'folder:{folder}'.*{message}"):
        load(f"folder:{folder}", "train")


def test_a_folder_of_folders_and_one_with_another_file_are_named(tmp_path):
    for name in ("train", "test", ".cache"):
        (tmp_path / "faces" / name).mkdir(parents=True)
    with pytest.raises(ValueError, match=r"with 0 images \(it has the folders test, train\), exp"):
        load(f"folder:{tmp_path / 'faces'}", "train")
    (write(tmp_path / "noted", 7) / "notes.txt").write_text("of faces")
    with pytest.raises(ValueError, match=r"expected a folder of nothing but images \(.*notes\.txt"):
        load(f"folder:{tmp_path / 'noted'}", "train")
