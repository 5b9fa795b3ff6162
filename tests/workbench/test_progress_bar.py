"""Progress and tables: alive on a terminal, plain in a pipe."""

import io
import re

import pytest

from jaxgen.workbench.progress_bar import progress
from jaxgen.workbench.table import print_table


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that each `clock(seconds)` moves; nothing else does."""
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def tick(seconds):
        now[0] += seconds

    return tick


def test_a_pipe_gets_plain_lines_with_rate_and_time_left(clock):
    pipe = io.StringIO()
    with progress(100, done=20, stream=pipe) as advance:
        clock(50)  # compilation: not part of the rate
        for _ in range(80):
            clock(2)
            advance(1, "elbo -93.1")
    lines = pipe.getvalue().splitlines()
    assert lines[0] == "epoch 21/100   elbo -93.1"
    assert lines[1] == "epoch 24/100   2 s/epoch   0:02:32 left   elbo -93.1"
    assert lines[-1] == "epoch 100/100   2 s/epoch   0:00:00 left   elbo -93.1"
    assert len(lines) == 28  # every third epoch is the first after five seconds, and the last
    assert re.fullmatch(r"[ -~\n]*", pipe.getvalue())  # no control characters


def test_fast_units_are_counted_per_second(clock):
    pipe = io.StringIO()
    with progress(1000, unit="step", stream=pipe) as advance:
        for _ in range(10):
            clock(1)
            advance(100)
    assert pipe.getvalue().splitlines()[1] == "step 600/1000   100 steps/s   0:00:04 left"


def test_a_terminal_gets_a_bar_and_keeps_its_cursor(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    with progress(3, stream=terminal) as advance:
        for _ in range(3):
            advance(1, "[elbo]")  # brackets are no markup
    shown = terminal.getvalue()
    assert "━" in shown
    assert "epoch 3/3" in shown
    assert "[elbo]" in shown
    hidden, visible = "\x1b[?25l", "\x1b[?25h"
    assert shown.index(visible) < shown.index("epoch 3/3")
    assert shown.rfind(visible) > shown.rfind(hidden)


def test_a_dumb_terminal_counts_as_a_pipe(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    with progress(1, stream=terminal) as advance:
        advance()
    assert terminal.getvalue() == "epoch 1/1\n"


def test_an_error_in_the_block_passes_through():
    with pytest.raises(KeyError), progress(3, stream=io.StringIO()):
        raise KeyError


def test_a_table_reads_well_in_a_pipe(capsys):
    print_table(
        "vae on digits",
        ["quantity", "test", "unit"],
        [["ELBO", -27.3141592, "nats"], ["active units", 12, "of 16"]],
    )
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[0] == ["vae", "on", "digits"]
    assert lines[1] == ["quantity", "test", "unit"]
    assert lines[3] == ["ELBO", "-27.314", "nats"]
    assert lines[4] == ["active", "units", "12", "of", "16"]
