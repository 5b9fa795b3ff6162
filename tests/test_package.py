import subprocess
import sys
from pathlib import Path


def test_import_is_light_and_carries_a_version():
    code = (
        "import jaxgen, sys; assert jaxgen.__version__; "
        "heavy = {'tensorflow_datasets', 'matplotlib', 'sklearn', 'jax'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


def test_rooms_are_typed():
    assert (Path(__file__).parents[1] / "jaxgen" / "py.typed").exists()
