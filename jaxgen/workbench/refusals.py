"""Errors of the library in the words of a command line."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator


@contextlib.contextmanager
def renamed(argument: str, field: str, note: str = "") -> Iterator[None]:
    """Lets what the block refuses as `argument` be refused as the configuration's `field`.

    Args:
      argument: as a function calls what it refuses with "ARGUMENT: got ..., expected ...".
      field: as the configuration calls it.
      note: ends the message, in parentheses.
    Raises:
      ValueError: as the block does.
    Example:
      >>> with renamed("num_samples", "samples"):
      ...     vimco(1)
      Traceback (most recent call last):
      ValueError: samples: got 1, expected an integer >= 2
    """
    try:
        yield
    except ValueError as error:
        message = re.sub(f"^{argument}:", f"{field}:", str(error))
        raise ValueError(f"{message} ({note})" if note else message) from None
