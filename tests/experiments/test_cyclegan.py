"""CycleGAN between folders of photographs: two steps at the size of Horse2zebra."""

import numpy as np
import pytest
from PIL import Image
from recipes import run_recipe

from experiments import cyclegan
from jaxgen.workbench.run_directory import RunDirectory

SETTINGS = (
    "--size 256 --enlarge 286 --flip --halvings 2 --edge 3 --critic-strides 2 2 --batch-size 1"
)
THIN = "--width 2 --blocks 1 --critic-width 2 --epochs 1"


@pytest.fixture
def folders(tmp_path):
    """Four photographs of either domain; those of Y are gray and of another size."""
    rng = np.random.default_rng(0)
    for name, shape in {"horses": (256, 256, 3), "zebras": (200, 220)}.items():
        (tmp_path / name).mkdir()
        for i in range(4):
            pixels = rng.integers(0, 256, shape, np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    return f"--x-folder {tmp_path / 'horses'} --y-folder {tmp_path / 'zebras'}"


def test_two_steps_of_two_folders(folders, tmp_path):
    flags = f"{folders} {SETTINGS} {THIN} --channels 3 --pool 2"
    assert run_recipe("cyclegan", flags, tmp_path / "run") == 0
    (record,) = RunDirectory(tmp_path / "run").metrics()
    assert record["train_generator_cycle"] > 0
    pictures = {path.stem for path in (tmp_path / "run" / "pictures").iterdir()}
    assert pictures == {"to_y", "to_x", "unpaired_scores"}


def test_channels_that_differ_are_refused_where_the_identity_is_weighed(folders, tmp_path):
    x, y = folders.split()[1::2]
    config = cyclegan.Config(
        x_folder=x, y_folder=y, size=64, identity_weight=5.0, run_dir=str(tmp_path / "run"),
        batch_size=1,
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"identity_weight: got 5.0 .* expected 0"):
        cyclegan.run(config)
