"""The notebooks: executed with the solutions of their exercises, and what they show, stored small.

python tests/experiments/notebooks.py [NAME...]     stores anew what all, or these, show
python tests/experiments/notebooks.py --thumbnails  makes their small pictures of what is stored
"""

import base64
import copy
import io
import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "experiments" / "colab").glob("*.ipynb"))
MAX_PICTURE, MAX_WIDTH = 40_000, 720
RUN_LONG = ("gan", "likelihoods", "translation")
THUMBNAILS = {
    "vae": 4,
    "bounds": 0,
    "estimators": 0,
    "gan": 2,
    "translation": 1,
    "likelihoods": 1,
    "two_sample": 0,
}
"""Which picture of a notebook stands for it."""
MAX_THUMBNAIL, THUMBNAIL_SIZE = 15_000, (300, 180)
NUMBER = re.compile(r"[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[-+]?\d+)?")


def solutions(cell):
    """The code of the hidden solutions in a cell of text."""
    hidden = re.findall(r"<details>(.*?)</details>", cell.source, re.DOTALL)
    return [code for part in hidden for code in re.findall(r"```python\n(.*?)```", part, re.DOTALL)]


def with_solutions(notebook):
    """The same notebook, in which every solution is a cell of code where it stands."""
    notebook = copy.deepcopy(notebook)
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type == "markdown":
            for code in solutions(cell):
                cells.append(nbformat.v4.new_code_cell(code, metadata={"solution": True}))
    notebook.cells = cells
    return notebook


def executed(name, notebook, folder):
    """The notebook with its outputs; what its solutions show is left out.

    Compiled in haste, but for those that run for longer than they compile.
    """
    hasty = "JAX_DISABLE_MOST_OPTIMIZATIONS"
    env = {key: of for key, of in os.environ.items() if key not in (hasty, "XLA_FLAGS")}
    env |= {} if name in RUN_LONG else {hasty: "1"}
    env |= {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default", "JAX_PLATFORMS": "cpu"}
    notebook = with_solutions(notebook)
    place = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=900, resources=place, record_timing=False).execute(env=env)
    notebook.cells = [cell for cell in notebook.cells if not cell.metadata.pop("solution", False)]
    return notebook


def outputs(cell):
    """What a cell shows; its warnings and progress apart."""
    shown = cell.get("outputs", [])
    return [of for of in shown if of.output_type != "stream" or of.name == "stdout"]


def text_of(cell):
    """The text that a cell shows."""
    parts = [of.get("text") or of.get("data", {}).get("text/plain", "") for of in outputs(cell)]
    return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(parts))  # without colors


def pictures_of(cell):
    """The PNG files that a cell shows."""
    encoded = [of.get("data", {}).get("image/png") for of in outputs(cell)]
    return [base64.b64decode(of) for of in encoded if of]


def differences(stored, seen, tolerance):
    """What sets two texts apart: other words, or numbers further apart than `tolerance`.

    Of the larger number, or of one, whichever is more.
    """
    words = [
        " ".join(NUMBER.sub("#", re.sub(r"[─━\s]+", " ", text)).split()) for text in (stored, seen)
    ]
    if words[0] != words[1]:
        yield f"{stored!r} became {seen!r}"
        return
    numbers = [
        [float(of.replace(",", "")) for of in NUMBER.findall(text)] for text in (stored, seen)
    ]
    for before, now in zip(*numbers, strict=True):
        if abs(before - now) > tolerance * max(abs(before), abs(now), 1.0):
            yield f"{before} became {now}"


def small(picture):
    """The picture in few colors and at most `MAX_PICTURE` bytes."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    for colors, width in ((128, 1.0), (64, 1.0), (64, 0.8), (32, 0.7), (16, 0.6)):
        scale = min(1.0, MAX_WIDTH / image.width) * width
        size = round(image.width * scale), round(image.height * scale)
        smaller = image.resize(size, Image.Resampling.LANCZOS) if scale < 1 else image
        smaller.quantize(colors).save(file := io.BytesIO(), "PNG", optimize=True)
        if file.tell() <= MAX_PICTURE:
            break
    return file.getvalue()


def thumbnail_path(name):
    return ROOT / ".github" / "pictures" / f"notebook_{name}.png"


def thumbnail(name, notebook):
    """The picture of the notebook that stands for it, small, in at most `MAX_THUMBNAIL` bytes."""
    shown = [picture for cell in notebook.cells for picture in pictures_of(cell)]
    image = Image.open(io.BytesIO(shown[THUMBNAILS[name]])).convert("RGB")
    image.thumbnail(THUMBNAIL_SIZE, Image.Resampling.LANCZOS)
    for colors in (64, 32, 16, 8):
        image.quantize(colors).save(file := io.BytesIO(), "PNG", optimize=True)
        if file.tell() <= MAX_THUMBNAIL:
            break
    return file.getvalue()


def store(path):
    """Writes what the notebook shows into it."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        notebook = executed(path.stem, notebook, folder)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs, cell.execution_count = outputs(cell), None
        for output in cell.outputs:
            output.pop("metadata", None) if output.output_type == "stream" else None
            if output.output_type == "execute_result":
                output.execution_count = None
            data = output.get("data", {})
            if "image/png" in data:
                data["image/png"] = base64.b64encode(
                    small(base64.b64decode(data["image/png"]))
                ).decode()
                output.metadata = {}
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = {"name": "python"}
    nbformat.write(notebook, path)


if __name__ == "__main__":
    names = [name for name in sys.argv[1:] if name != "--thumbnails"]
    for path in NOTEBOOKS:
        if not names or path.stem in names:
            if "--thumbnails" not in sys.argv:
                store(path)
            picture = thumbnail(path.stem, nbformat.read(path, as_version=4))
            thumbnail_path(path.stem).write_bytes(picture)
            print(path.stem, f"{path.stat().st_size / 1000:.0f} kB")
