"""Runs vae.py whole, and again killed and resumed: the same numbers and picture, to the bit.

python killed.py DIR: all processes are this interpreter's; DIR is where vae.py lies.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

EPOCHS = 60
# Every epoch is saved, where a run saves every ten seconds: all sixty take less on a fast machine.
START = """
import runpy, sys
from jaxgen.workbench import epoch_loop
epoch_loop.SECONDS_BETWEEN_CHECKPOINTS = 0.0
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def vae(folder: Path, name: str, *flags: str) -> "subprocess.Popen[bytes]":
    """Starts the training of the run directory `name`."""
    script = [str(folder / "vae.py"), "--epochs", str(EPOCHS), "--run-dir", name, *flags]
    command = [sys.executable, "-c", START, *script]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def numbers(name: str) -> list[dict[str, float]]:
    """Returns the result and the records of every epoch, without their times."""
    lines = [*(Path(name) / "metrics.jsonl").read_text().splitlines()]
    objects = [json.loads((Path(name) / "result.json").read_text()), *map(json.loads, lines)]
    return [{key: of[key] for key in of if "seconds" not in key} for of in objects]


def main(folder: Path) -> None:
    """Kills the second run after its third epoch, when one of them is saved."""
    assert vae(folder, "whole").wait() == 0
    process, records = vae(folder, "killed"), Path("killed/metrics.jsonl")
    saved = Path("killed/checkpoints")
    while not [*saved.glob("*.manifest")] or records.read_text().count("\n") < 3:
        assert process.poll() is None, "it ended by itself"
        time.sleep(0.01)
    process.kill()
    process.wait()
    left = records.read_text().count("\n")
    assert left < EPOCHS and not Path("killed/result.json").exists(), "it was not killed in time"
    assert vae(folder, "killed", "--resume").wait() == 0
    whole, killed = numbers("whole"), numbers("killed")
    assert len(whole) == 1 + EPOCHS
    assert whole == killed
    pictures = [Path(name, "pictures", "samples.png").read_bytes() for name in ("whole", "killed")]
    assert pictures[0] == pictures[1]
    print(f"killed after {left} of {EPOCHS} epochs, resumed to the bit: {whole[0]}")


main(Path(sys.argv[1]))
