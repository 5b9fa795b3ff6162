"""Folders of images: what is read, and what is refused or left out."""

import inspect
import io

import numpy as np
import pytest
from PIL import Image

from jaxgen.data import load_folder, skip


def pixels(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Two color PNGs of 5x4, in an order that is not that of their making."""
    for name, seed in {"b.png": 1, "a.png": 0}.items():
        Image.fromarray(pixels((5, 4, 3), seed)).save(tmp_path / name)
    return tmp_path


def test_images_come_in_the_order_of_their_names(folder):
    (folder / ".DS_Store").write_bytes(b"hidden")
    (folder / "within").mkdir()
    images = load_folder(folder)
    np.testing.assert_array_equal(images.images, [pixels((5, 4, 3), seed) for seed in (0, 1)])
    assert images.labels is None
    assert (images.name, images.levels) == (folder.name, 256)


def test_sizes_and_channels_are_made_one(folder):
    Image.fromarray(pixels((9, 7))).save(folder / "gray.jpg")
    images = load_folder(folder, size=(6, 8), channels=1).images
    assert images.shape == (3, 6, 8, 1)
    with Image.open(folder / "a.png") as image:
        expected = image.convert("L").resize((8, 6), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(images[0, ..., 0], np.asarray(expected))


@pytest.mark.parametrize(
    ("mode", "channels"), [("1", 1), ("L", 1), ("P", 3), ("LA", 4), ("RGBA", 4)]
)
def test_channels_of_every_mode(tmp_path, mode, channels):
    for name in "ab":
        Image.fromarray(pixels((5, 4, 3))).convert(mode).save(tmp_path / f"{name}.png")
    assert load_folder(tmp_path).images.shape == (2, 5, 4, channels)


def test_a_photograph_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # lay on its side
    flat = np.zeros((16, 8, 3), np.uint8)
    flat[:8] = 255
    for name in "ab":
        Image.fromarray(flat).save(tmp_path / f"{name}.jpg", exif=exif)
    image = load_folder(tmp_path).images[0]
    assert image.shape == (8, 16, 3)
    assert image[:, :8].mean() < 10 < 245 < image[:, 8:].mean()


def broken(name):
    return {
        "text.png": b"no image",
        "cut.jpg": b"\xff\xd8\xff\xe0",
        "drawing.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "empty.png": b"",
        "exif.jpg": cut_exif(),
    }[name]


def cut_exif():
    """A JPEG whose EXIF data end in their header."""
    content = io.BytesIO()
    Image.new("RGB", (4, 5)).save(content, "JPEG", exif=b"Exif\0\0MM\0\x2a\0\0")
    return content.getvalue()


@pytest.mark.parametrize("name", ["text.png", "cut.jpg", "drawing.eps", "empty.png", "exif.jpg"])
def test_what_is_no_image_is_named_and_left_out_only_if_asked(folder, name):
    (folder / name).write_bytes(broken(name))
    message = rf"directory: .*{name} cannot be decoded \((?!.* object at ).*\), expected an"
    with pytest.raises(ValueError, match=message):
        load_folder(folder)
    with pytest.warns(RuntimeWarning, match=rf"{name} cannot be decoded .*; it is left out"):
        assert len(load_folder(folder, unreadable=skip).images) == 2


def test_no_more_than_8_bits(folder):
    Image.fromarray(np.full((5, 4), 40_000, np.uint16)).save(folder / "deep.png")
    with pytest.raises(ValueError, match=r"directory: .*deep.png has 16 bits, expected an 8-bit"):
        load_folder(folder)


@pytest.mark.parametrize("files", [(), ("a.png",)])
def test_no_image_or_one(tmp_path, files):
    (tmp_path / "trainA").mkdir()
    for name in files:
        Image.fromarray(pixels((5, 4, 3))).save(tmp_path / name)
    message = rf"directory: got {len(files)} images in .*has the folders trainA.*, expected two"
    with pytest.raises(ValueError, match=message):
        load_folder(tmp_path)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((5, 4), r"channels: got None of images of unlike channels, a.png \(3\) and c.png \(1\)"),
        (
            (6, 4, 3),
            r"size: got None of .* a.png \(\(5, 4\)\) and c.png \(\(6, 4\)\); expected one",
        ),
    ],
)
def test_unlike_images(folder, shape, message):
    Image.fromarray(pixels(shape)).save(folder / "c.png")
    with pytest.raises(ValueError, match=message):
        load_folder(folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": 2}, "channels: got 2, expected one of 1, 3, 4"),
        ({"size": (0, 8)}, "size: got 0, expected an integer >= 1"),
        ({"size": 8}, r"size: got 8, expected \(height, width\)"),
        ({"size": (8, 8, 3)}, r"size: got \(8, 8, 3\), expected \(height, width\)"),
    ],
)
def test_arguments(folder, arguments, message):
    with pytest.raises(ValueError, match=message):
        inspect.unwrap(load_folder)(folder, **arguments)  # whose annotations are not checked


@pytest.mark.parametrize("name", ["nowhere", "a.png"])
def test_no_folder(folder, name):
    with pytest.raises(ValueError, match=rf"directory: got .*{name}', expected a folder of images"):
        load_folder(folder / name)
