"""How much a run says: by --quiet nothing but warnings and errors, by --verbose every number."""

import io
import sys
import warnings

import jax
import numpy as np
import pytest

from jaxgen.workbench.config import ImageConfig
from jaxgen.workbench.epoch_loop import fit
from jaxgen.workbench.progress_bar import loudness, progress
from jaxgen.workbench.run import Table, begin

EPOCHS = 3


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def lines_of(tmp_path, monkeypatch):
    """What a recipe of three epochs prints, and what it shows on a terminal or in a pipe."""
    before = loudness.set("usual")

    def of(stream, **flags):
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(sys, "stdout", said := io.StringIO())
        run = begin(ImageConfig(run_dir=str(tmp_path / "run"), compilation_cache=False, **flags))
        fit(
            run.directory,
            jax.numpy.zeros(2),
            lambda state, key, index: (state, {"all_finite": np.ones(2), "kl": np.ones(2)}),
            lambda state: {"elbo": -93.125, "of_seeds": np.ones(3)},
            key=jax.random.key(0),
            epochs=EPOCHS,
            evaluated=lambda state: state,
        )
        with progress(1, unit="image") as advance:
            advance(1)
        warnings.warn("a warning", stacklevel=1)
        run.finish({"nll": 93.0}, {}, [Table("VAE", ["", "nats"], [["NLL", 93.0]])], ["A note."])
        return said.getvalue().splitlines(), stream.getvalue().splitlines()

    yield of
    loudness.reset(before)


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_quiet_is_silent_but_for_warnings(lines_of, stream):
    with pytest.warns(UserWarning, match="a warning"):
        assert lines_of(stream(), quiet=True) == ([], [])


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_verbose_has_a_line_an_epoch_with_all_its_numbers(lines_of, stream):
    with pytest.warns(UserWarning, match="a warning"):
        printed, shown = lines_of(stream(), verbose=True)
    assert any(line.startswith("jax ") and "devices" in line for line in printed)
    assert len(shown) == EPOCHS + 1
    for i, line in enumerate(shown[:-1], 1):
        assert line.startswith(f"epoch {i}/{EPOCHS} ")
        assert "train_kl 1  validation_elbo -93.125  seconds " in line


def test_otherwise_a_pipe_has_some_lines_and_the_tables(lines_of):
    with pytest.warns(UserWarning, match="a warning"):
        printed, shown = lines_of(io.StringIO())
    assert printed[0].startswith("run directory: ")
    assert {"VAE", "A note."} <= {line.strip() for line in printed}
    assert "elbo -93.12" in shown[0]
    assert "train_kl" not in "".join(shown)


def test_both_are_refused():
    with pytest.raises(ValueError, match=r"^quiet: got it with verbose, expected one of them$"):
        ImageConfig(quiet=True, verbose=True)
