"""Records at Weights & Biases: what its library is told, and, where it is installed, writes."""

import sys
import types

import pytest

from jaxgen.workbench.config import ImageConfig
from jaxgen.workbench.run import begin
from jaxgen.workbench.training import _writers
from jaxgen.workbench.wandb_records import wandb


class Told:
    """A library in the place of wandb that only notes what it is told."""

    def __init__(self):
        self.opened, self.logged = [], []
        self.module = types.SimpleNamespace(init=self.init)

    def init(self, **how):
        self.opened.append(how)
        return types.SimpleNamespace(log=lambda numbers, step: self.logged.append((step, numbers)))


@pytest.fixture
def told(monkeypatch):
    library = Told()
    monkeypatch.setitem(sys.modules, "wandb", library.module)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
    return library


def test_numbers_of_a_record_are_logged_by_their_epoch(told, tmp_path):
    config = ImageConfig(wandb=True, run_dir=str(tmp_path / "run"), compilation_cache=False)
    with begin(config).part("beta_1") as run:
        (write,) = _writers(run, config)
        write({"epoch": 3, "train_elbo": -2.5, "of_seeds": [1.0, 2.0]})
    assert told.logged == [(3, {"epoch": 3.0, "train_elbo": -2.5})]
    (opened,) = told.opened
    assert opened["name"] == "run/beta_1"
    assert opened["config"]["batch_size"] == 128


def test_the_real_library_writes_them_without_a_network(tmp_path, monkeypatch):
    library = pytest.importorskip("wandb", reason="needs the extra: pip install 'jaxgen[wandb]'")
    monkeypatch.setenv("WANDB_MODE", "offline")
    wandb(tmp_path, ImageConfig(), "one")({"epoch": 1, "train_elbo": -2.5})
    library.teardown()  # which waits for its writer
    (written,) = tmp_path.rglob("*.wandb")
    assert b"train_elbo" in written.read_bytes()


def test_without_the_extra_the_flag_is_refused(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"wandb: got no wandb, expected pip install"):
        ImageConfig(wandb=True)
