"""A run in several processes: the flags that say of which cluster, and what is done to join it.

Every process runs the whole recipe. Each computes its part of every batch in the training, and all
of what comes before and after; process 0 alone writes the run directory and prints.
"""

from __future__ import annotations

import dataclasses
import os
import re
import socket
import sys
import time
import traceback
from typing import Annotated

from jaxgen.workbench.fields import Count, Rule, Whole, check_fields

Address = Annotated[
    str,
    Rule(
        lambda text: (
            (found := re.fullmatch(r"(\S+):(\d{1,5})", text)) is not None
            and 0 < int(found[2]) < 2**16
        ),
        "HOST:PORT",
    ),
]
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_SECONDS_OF_GRACE = 1.0
"""For the others, told of the same failure, to leave before process 0: they end with it."""

_SECONDS_BETWEEN_CALLS = 0.1
"""Of the processes that come before process 0."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cluster:
    """Of which processes a run is made; of this one alone by default.

    Not a part of the configuration: a run means the same in any number of processes, and may be
    resumed in another.

    Raises:
      ValueError: the flags do not say one cluster; the message names the flag.
    """

    distributed: bool = False
    """Run in all processes of the cluster that JAX finds: SLURM, Open MPI, Kubernetes, Cloud
    TPU."""
    coordinator: Address | None = None
    """HOST:PORT at which process 0 of a cluster made by hand can be reached."""
    num_processes: Count | None = None
    """Of the cluster made by hand; they share --devices evenly."""
    process_id: Whole | None = None
    """Of this process in it, from 0; process 0 writes and prints."""
    heartbeat: Count | None = None
    """Seconds within which the others end after one has died, or if one does not come; 100 if not
    given."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.distributed and self.coordinator is not None:
            raise ValueError(
                f"coordinator: got {self.coordinator!r} with distributed, which finds the cluster, "
                "expected one of the two"
            )
        for name in ("num_processes", "process_id"):
            value = getattr(self, name)
            if self.coordinator is None and value is not None:
                raise ValueError(f"{name}: got {value} without coordinator, expected both")
            if self.coordinator is not None and value is None:
                raise ValueError(f"{name}: got none beside coordinator, expected both")
        if self.process_id is not None and self.process_id >= (self.num_processes or 0):
            raise ValueError(
                f"process_id: got {self.process_id}, expected an integer below "
                f"num_processes={self.num_processes}"
            )
        if self.heartbeat is not None and not self:
            raise ValueError(
                f"heartbeat: got {self.heartbeat} for one process, expected distributed or "
                "coordinator beside it"
            )

    def __bool__(self) -> bool:
        """Returns whether there may be more processes than this one."""
        return self.distributed or self.coordinator is not None

    def flags(self) -> list[str]:
        """Returns the words of the command line that say the same."""
        words = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None and value is not False:
                words.append(f"--{field.name.replace('_', '-')}")
                words += [] if value is True else [str(value)]
        return words


def join(cluster: Cluster, devices: int) -> None:
    """Makes this process one of the cluster, before anything else touches JAX.

    Args:
      cluster: nothing is done if it is of one process.
      devices: of all processes together; in a cluster made by hand, a CPU pretends its share.
    Raises:
      ValueError: JAX finds no cluster, or the coordinator cannot be reached; devices is no multiple
        of the processes.
    """
    if not cluster:
        return
    import jax

    address, seconds = cluster.coordinator, cluster.heartbeat or 100
    alone = address is not None and address.rpartition(":")[0] in _LOOPBACK
    if address is not None:
        assert cluster.num_processes is not None
        assert cluster.process_id is not None
        _refuse_uneven(devices, cluster.num_processes)
        _refuse_deaf(address, cluster.process_id, seconds)
        jax.config.update("jax_num_cpu_devices", devices // cluster.num_processes)
    # Otherwise JAX takes SIGTERM, which stops a training where it can be saved, to itself.
    jax.config.update("jax_enable_preemption_service", False)
    name = "coordinator" if address else "distributed"
    try:
        jax.distributed.initialize(
            address,
            cluster.num_processes,
            cluster.process_id,
            coordinator_bind_address=address if alone else None,
            initialization_timeout=seconds,
            heartbeat_timeout_seconds=seconds,
            shutdown_timeout_seconds=seconds,
        )
    except (ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"{name}: got {address or 'no cluster'}, expected one whose processes find each other "
            f"({reason})"
        ) from None
    _refuse_uneven(devices, jax.process_count())
    if jax.process_index():
        # What all would say, process 0 says.
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _refuse_uneven(devices: int, num_processes: int) -> None:
    if devices % num_processes:
        raise ValueError(
            f"devices: got {devices}, expected a multiple of {num_processes}, the processes"
        )


def _refuse_deaf(address: str, process_id: int, seconds: int) -> None:
    """Refuses a coordinator that cannot be, for which JAX would end the process with a stack."""
    host, _, port = address.rpartition(":")
    until = time.monotonic() + seconds
    while True:
        try:
            here = (host.strip("[]"), int(port))
            family, *_, place = socket.getaddrinfo(*here, type=socket.SOCK_STREAM)[0]
            if process_id == 0:
                with socket.socket(family) as free:
                    free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    free.bind(place if host in _LOOPBACK else ("", int(port)))
            else:
                socket.create_connection(here, timeout=seconds).close()
            return
        except OSError as error:
            # The others may come before process 0.
            if not process_id or isinstance(error, socket.gaierror) or time.monotonic() > until:
                raise ValueError(
                    f"coordinator: got {address!r}, expected HOST:PORT where process 0 can be "
                    f"reached, free in its own machine ({error.strerror or error})"
                ) from None
        time.sleep(_SECONDS_BETWEEN_CALLS)


def abandon() -> None:
    """Of several processes, ends this one at an exception that the others may know nothing of.

    To leave in order is to wait for the others, who may be waiting for this one.
    """
    jax = sys.modules.get("jax")
    if jax is None or not jax.distributed.is_initialized():
        return
    try:
        traceback.print_exc(file=sys.__stderr__)
        if jax.process_index() == 0:
            sys.stdout.flush()
            time.sleep(_SECONDS_OF_GRACE)
    finally:  # where both go may be the disk that is full
        os._exit(1)
