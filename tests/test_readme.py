"""What the README shows runs as it stands there."""

import re
import string
from pathlib import Path

import pytest

from experiments.vae import Config
from jaxgen.workbench.distributed import Cluster
from jaxgen.workbench.flags import parse

README = (Path(__file__).parents[1] / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda s: s.splitlines()[-1][:40])
def test_snippet_runs(snippet):
    assert "assert" in snippet, "a snippet ends with the equality that checks it"
    exec(compile(snippet, "README.md", "exec"), {})


def test_a_game_takes_fifteen_lines_and_a_vae_that_resumes_forty():
    """CI runs both from the installed wheel."""
    (game,) = re.findall(r"<!-- game -->\n```python\n(.*?)```", README, re.DOTALL)
    assert len(game.splitlines()) <= 15
    vae = Path(__file__).parent / "wheel" / "vae.py"
    assert len(vae.read_text().splitlines()) <= 40


def test_there_are_snippets_and_two_commands():
    assert len(SNIPPETS) >= 2
    for marker, ending in (("run", "-m experiments vae"), ("test", ".venv/bin/pytest")):
        command = re.search(rf"<!-- {marker} -->\n```sh\n(.*)\n```", README)
        assert command is not None
        assert command[1].endswith(ending)


def test_every_room_is_on_the_map():
    rooms = {path.stem for path in (Path(__file__).parents[1] / "jaxgen").glob("[a-z]*[!d]")}
    described = set(re.findall(r"`jaxgen\.(\w+)`", README))
    assert rooms == described


def test_the_commands_of_several_processes_say_their_cluster():
    """`tests/workbench/test_processes.py` runs such commands."""
    clusters = []
    for marker in ("slurm", "two processes"):
        (block,) = re.findall(rf"<!-- {marker} -->\n```sh\n(.*?)\n```", README, re.DOTALL)
        values = {"SLURM_JOB_ID": "1"} | dict(re.findall(r'^(\w+)="(.*)"$', block, re.MULTILINE))
        for words in re.findall(r"-m experiments vae (.*?)(?: &)?$", block, re.MULTILINE):
            flags = string.Template(words).substitute(values).split()
            config, cluster = parse(Config, flags, Cluster, command="vae", description="")
            clusters.append((config.devices, config.run_dir, cluster))
    by_hand = {"coordinator": "localhost:12345", "num_processes": 2, "heartbeat": 30}
    assert clusters == [
        (8, "runs/vae-1", Cluster(distributed=True)),
        (2, "runs/two", Cluster(**by_hand, process_id=1)),
        (2, "runs/two", Cluster(**by_hand, process_id=0)),
    ]
