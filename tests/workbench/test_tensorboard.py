"""Records as TensorBoard events, read back with TensorBoard's own record format."""

import sys
import time

import pytest

from jaxgen.workbench.config import ImageConfig
from jaxgen.workbench.tensorboard_events import tensorboard


def scalars(folder):
    """Each scalar's step and value."""
    from tensorboardX.proto.event_pb2 import Event

    (path,) = folder.iterdir()
    blob, events = path.read_bytes(), []
    while blob:  # length (8 bytes), its checksum (4), the event, its checksum (4)
        size = int.from_bytes(blob[:8], "little")
        events.append(Event.FromString(blob[12 : 12 + size]))
        blob = blob[16 + size :]
    return {v.tag: (e.step, v.simple_value) for e in events for v in e.summary.value}


def test_every_number_of_a_record_is_an_event(tmp_path):
    pytest.importorskip("tensorboardX", reason="needs the extra: pip install 'jaxgen[tensorboard]'")
    watch = tensorboard(tmp_path)
    watch({"epoch": 3, "train_elbo": -2.5, "seconds": 1.0})
    expected = {"train_elbo": (3, -2.5), "seconds": (3, 1.0)}
    deadline = time.monotonic() + 20
    while (seen := scalars(tmp_path / "tensorboard")) != expected and time.monotonic() < deadline:
        time.sleep(0.05)  # a thread of the writer's own does the writing
    assert seen == expected


def test_without_the_extra_the_flag_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"tensorboard: got no tensorboardX, expected pip install"):
        ImageConfig(tensorboard=True)
