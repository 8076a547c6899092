"""All peers of one scenario, started once, asleep but for the one whose turn it is."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.plan import Plan
from harness.processes import Child, Fault, core_busy_seconds, cpu_seconds, free_port, memory_mib

if TYPE_CHECKING:
    from harness.peers import Peer

Sample = dict[str, float]
#: After a run the proxy still sees its clients leave; then it may sleep.
SETTLE_S = 0.1


@dataclass(frozen=True, slots=True)
class Bench:
    """Where a run measures, and with what."""

    loadgen: Path
    backend: Path
    http2_backend: Path
    load_core: str
    proxy_core: str
    seconds: float
    rounds: int
    notes: list[str] = field(default_factory=list)
    #: The share of each turn in which the proxy's core worked for somebody else.
    foreign: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Backend:
    """The C servers behind all peers, by their ports."""

    http: int
    tcp: int
    http2: int
    grpc: int
    chunks: int


class Entry:
    """One peer of a contest: its processes (two for a sidecar pair), and how to reach it."""

    def __init__(self, name: str, port: int, children: Sequence[Child], cores: str) -> None:
        """Take over started processes; the direct connection has none."""
        self.name = name
        self.port = port
        self.children = children
        self.cores = cores

    def pids(self) -> list[int]:
        """Return all its processes."""
        return [pid for child in self.children for pid in child.pids()]

    def cpu(self) -> float:
        """Return CPU seconds used so far."""
        return cpu_seconds(self.pids())

    def memory(self, kind: str) -> float:
        """Return MiB of `Rss` or `Pss`."""
        return memory_mib(self.pids(), kind)

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Wake it for a while."""
        self.signal(signal.SIGCONT)
        try:
            yield
        finally:
            time.sleep(SETTLE_S)
            self.signal(signal.SIGSTOP)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all its processes."""
        for child in self.children:
            child.signal(number)

    def check_alive(self) -> None:
        """Fail if a process has ended."""
        for child in self.children:
            if child.process.poll() is not None:
                raise Fault(f"{self.name} ended:\n{child.last_words()}")


@contextlib.contextmanager
def backend(bench: Bench, address: str = "127.0.0.1") -> Iterator[Backend]:
    """Run the backends on the generator's core."""
    http1 = (bench.backend, "backend", address, "0", "0")
    http2 = (bench.http2_backend, address, "0", "0", "0")
    with serving(bench, http1, 2) as first, serving(bench, http2, 3) as second:
        yield Backend(*first, *second)


@contextlib.contextmanager
def serving(bench: Bench, command: Sequence[str | Path], count: int) -> Iterator[list[int]]:
    """Run one C server and return the ports that it prints."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        child = Child(command, cores=bench.load_core, log=log, env={})
        try:
            limit = time.monotonic() + 10
            while len(ports := log.read_text().split()) < count:
                if time.monotonic() > limit or child.process.poll() is not None:
                    raise Fault(f"the backend didn't start: {child.last_words()}")
                time.sleep(0.005)
            yield [int(port) for port in ports]
        finally:
            child.stop()


PlanOf = Callable[[str, int], Sequence[Plan]]


@contextlib.contextmanager
def running(bench: Bench, peer: Peer, plans: Sequence[Plan], cores: str) -> Iterator[Entry]:
    """Start a peer, last process of the chain first; the first one's port is the entry's."""
    children: list[Child] = []
    with tempfile.TemporaryDirectory(prefix=f"bench-{peer.name}-") as folder:
        # nginx's workers leave root behind and must still reach their folders.
        Path(folder).chmod(0o755)
        try:
            for number, plan in reversed(list(enumerate(plans))):
                place = Path(folder) / str(number)
                place.mkdir()
                started = replace(plan, admin=free_port())
                command = peer.command(started, place)
                children.append(Child(command, cores=cores, log=place / "log", env=peer.variables))
                children[-1].wait_for(plan.listen)
            yield Entry(peer.name, plans[0].listen, children, cores)
        finally:
            for child in children:
                child.stop()


def load(bench: Bench, entry: Entry, arguments: Sequence[str], *, held: bool = False) -> Sample:
    """Run the generator once against an entry and return what was measured.

    With `held` the memory is read halfway, while the proxy holds what the load has it hold.
    """
    target = f"127.0.0.1:{entry.port}"
    mode, *flags = arguments
    command = [
        "taskset", "-c", bench.load_core, str(bench.loadgen), mode, "--target", target, *flags,
        "--warmup", str(min(0.5, bench.seconds / 4)), "--duration", str(bench.seconds),
    ]  # fmt: skip
    core = int(bench.proxy_core)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None or process.stdout.readline().strip() != "measuring":
            process.kill()
            raise Fault(f"{entry.name}: the generator refused {' '.join(command)}")
        cpu, busy, begun = entry.cpu(), core_busy_seconds(core), time.monotonic()
        memory: Sample = {}
        if held:
            time.sleep(bench.seconds / 2)
            memory["rss_mib"] = entry.memory("Rss")
        result = json.loads(process.stdout.readline())
        cpu, busy = entry.cpu() - cpu, core_busy_seconds(core) - busy
        elapsed = time.monotonic() - begun
    entry.check_alive()
    check(entry.name, result)
    if entry.children and entry.cores == bench.proxy_core:
        bench.foreign.append(max(0.0, busy - cpu) / elapsed)
    return sample(result, cpu, elapsed) | memory


def check(name: str, result: Mapping[str, object]) -> None:
    """Refuse a run with failures or without answers."""
    if result["failures"] or not result["requests"]:
        kinds, words = result["failures_by_kind"], result["failure_examples"]
        raise Fault(f"{name}: {result['requests']} requests, failures {kinds}: {words}")


def sample(result: Mapping[str, object], cpu: float, elapsed: float) -> Sample:
    """Turn a generator's result into figures."""
    requests, size = result["requests"], result["bytes"]
    latency, load_cpu = result["latency_us"], result["cpu_s"]
    if not isinstance(requests, int) or not isinstance(size, int) or not isinstance(latency, dict):
        raise Fault(f"the generator's result can't be read: {result}")
    if not isinstance(load_cpu, float):
        raise Fault(f"the generator's result can't be read: {result}")
    figures = {
        "cpu_us": cpu / requests * 1e6,
        "rps": requests / elapsed,
        "busy": cpu / elapsed,
        "generator_us": load_cpu / requests * 1e6,
        "requests": float(requests),
    }
    if size:
        figures["cpu_s_per_gib"] = cpu / size * 2**30
    return figures | {name: float(value) for name, value in latency.items()}


def rounds(
    bench: Bench, entries: Sequence[Entry], arguments: Sequence[str], *, held: bool = False
) -> dict[str, list[Sample]]:
    """Let every entry have its turn, A B C A B C …; a faulty one drops out with a note."""
    samples: dict[str, list[Sample]] = {entry.name: [] for entry in entries}
    for entry in entries:
        entry.signal(signal.SIGSTOP)
    for _ in range(bench.rounds):
        for entry in [entry for entry in entries if entry.name in samples]:
            with entry.turn():
                try:
                    samples[entry.name].append(load(bench, entry, arguments, held=held))
                except Fault as fault:
                    bench.notes.append(str(fault))
                    del samples[entry.name]
    return samples
