"""Ctrl-C, SIGTERM and a lost terminal as a flag that a loop polls where it can save."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from types import FrameType

from jaxgen.train import agree_on_largest

HANGUP = getattr(signal, "SIGHUP", None)
"""The terminal or the connection is gone; Windows knows no such signal."""


NOTE = b"\nstopping where the run can be saved; a second signal stops it at once\n"


class Interruption:
    """Which signal has arrived, if any; `bool(interruption)` says whether to stop."""

    signum: signal.Signals | None = None

    def __bool__(self) -> bool:
        return self.signum is not None


def agreed_signal(interruption: Interruption) -> signal.Signals | None:
    """Returns the signal that this process, or another of the program, was sent."""
    (signum,) = agree_on_largest(interruption.signum or 0)
    return signal.Signals(signum) if signum else None


_outer: ContextVar[Interruption | None] = ContextVar("interruption", default=None)


@contextlib.contextmanager
def deferred_interrupts() -> Iterator[Interruption]:
    """Within the block, the first SIGINT, SIGTERM or SIGHUP only sets the flag that is polled.

    That first signal also puts the handlers back that were there before, so a second one acts at
    once: under the command line it ends the process, in a notebook it raises KeyboardInterrupt. Of
    a terminal that closes, which may send SIGHUP twice, the second is ignored; under nohup, both.
    Signals reach Python in the main thread alone; in any other the flag is never set. A block
    within another has the flag of that one.

    Example:
      >>> with deferred_interrupts() as interruption:
      ...     while not interruption:
      ...         ...
    """
    if (outer := _outer.get()) is not None:
        yield outer
        return
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return

    def restore() -> None:
        for signum, handler in previous.items():
            signal.signal(signum, handler)

    def note(signum: int, frame: FrameType | None) -> None:
        interruption.signum = signal.Signals(signum)
        restore()
        if HANGUP is not None and HANGUP in previous:
            signal.signal(HANGUP, signal.SIG_IGN)
        # Straight to stderr: a handler may have interrupted a print to a buffered stream.
        with contextlib.suppress(OSError):  # which may be gone
            os.write(2, NOTE)

    previous = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    if HANGUP is not None and signal.getsignal(HANGUP) is not signal.SIG_IGN:
        previous[HANGUP] = signal.getsignal(HANGUP)
    within = _outer.set(interruption)
    try:
        for signum in previous:
            signal.signal(signum, note)
        yield interruption
    finally:
        _outer.reset(within)
        restore()
