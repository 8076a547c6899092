"""Processes that are pinned, put to sleep and woken, and what they have used."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: A proxy that hasn't answered by then never will.
START_LIMIT_S = 60.0
#: How long a proxy may take to end before it is killed.
STOP_LIMIT_S = 5.0
#: TIME-WAIT lasts a minute.
PORTS_REST_S = 70.0
#: Ports held by ended connections that leave enough for a scenario.
PORTS_HELD = 10_000
#: So many lines of a failed program's output are told.
LAST_LINES = 5


class Fault(Exception):
    """A measurement that can't be trusted, with the reason."""


def rest_ports() -> None:
    """Wait until most of the ports that ended connections hold (TIME-WAIT) are free again."""
    limit = time.monotonic() + PORTS_REST_S
    while time.monotonic() < limit:
        words = Path("/proc/net/sockstat").read_text().split()
        if int(words[words.index("tw") + 1]) < PORTS_HELD:
            return
        time.sleep(0.5)


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def tree(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in task.read_text().split():
                found += tree(int(child))
    return found


def cpu_seconds(pids: Sequence[int]) -> float:
    """Return user and system time of all threads, from the scheduler's own count."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                total += int(task.read_text().split()[0])
    return total / 1e9


def memory_mib(pids: Sequence[int], kind: str) -> float:
    """Return the sum of `Rss` or `Pss` over processes."""
    kib = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith(f"{kind}:"):
                    kib += int(line.split()[1])
    return kib / 1024


def core_busy_seconds(core: int) -> float:
    """Return the time that a core spent on anything but idling and SCHED_IDLE loops."""
    for line in Path("/proc/stat").read_text().splitlines():
        fields = line.split()
        if fields[0] == f"cpu{core}":
            user, _nice, system, _idle, _iowait, irq, softirq = map(int, fields[1:8])
            return (user + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
    raise Fault(f"no core {core}")


class Child:
    """A started program with its output in a file."""

    def __init__(
        self, command: Sequence[str | Path], *, cores: str, log: Path, env: dict[str, str]
    ) -> None:
        """Start it on the given cores."""
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                ["taskset", "-c", cores, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **env},
                start_new_session=True,
            )

    def pids(self) -> list[int]:
        """Return the whole process tree."""
        return tree(self.process.pid)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole tree."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def wait_for(self, port: int) -> None:
        """Return when the port accepts."""
        limit = time.monotonic() + START_LIMIT_S
        while time.monotonic() < limit:
            if self.process.poll() is not None:
                raise Fault(f"it ended at start:\n{self.last_words()}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.002)
        raise Fault(f"nothing listens on {port} after {START_LIMIT_S} s:\n{self.last_words()}")

    def last_words(self) -> str:
        """Return the last lines that it printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LAST_LINES:])

    def stop(self) -> None:
        """End the tree: kindly, then by force."""
        pids = self.pids()
        self.signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in pids[1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def awake(cores: Sequence[int]) -> Iterator[None]:
    """Keep cores from sleeping with loops that yield to everything else."""
    loops = [
        subprocess.Popen(
            [
                "taskset",
                "-c",
                str(core),
                "chrt",
                "-i",
                "0",
                sys.executable,
                "-c",
                "while True: pass",
            ]
        )
        for core in cores
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
