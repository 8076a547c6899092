"""Runs one scenario once: starts its peers, lets them take turns, and returns their figures."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.apply import measure_apply
from harness.contest import Backend, Bench, Entry, Sample, backend, check, load, rounds, running
from harness.plan import Certificates, Plan, certificates
from harness.processes import START_LIMIT_S, Fault, awake, rest_ports
from harness.scenarios import STREAMS, Scenario, client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.peers import Peer

Figures = dict[str, dict[str, list[float]]]
#: Connections held open in the idle scenario; the figure is told per 10,000.
IDLE = 9_000
#: A held connection's memory is read when the proxy has come to rest.
REST_S = 0.5


def measure(bench: Bench, scenario: Scenario, peers: Mapping[str, Peer]) -> Figures:
    """Run one scenario and return peer → metric → values of its rounds."""
    rest_ports()
    chosen = [peers[name] for name in scenario.peers if name in peers]
    with (
        tempfile.TemporaryDirectory(prefix="bench-pem-") as folder,
        backend(bench, "0.0.0.0" if scenario.own_addresses else "127.0.0.1") as behind,
    ):
        Path(folder).chmod(0o755)
        pem = certificates(Path(folder))
        pem.key.chmod(0o644)
        stage = Stage(bench, scenario, behind, pem)
        return stage.run(chosen)


class Stage:
    """A scenario with its backend and certificates in place."""

    def __init__(
        self, bench: Bench, scenario: Scenario, behind: Backend, pem: Certificates
    ) -> None:
        """Remember what all ways of measuring need."""
        self.bench = bench
        self.scenario = scenario
        self.behind = behind
        self.pem = pem
        self.target: int = getattr(behind, scenario.backend)
        self.load = [*scenario.load, *(client(pem.ca.parent) if scenario.tls else ())]

    def run(self, peers: Sequence[Peer]) -> Figures:
        """Measure in the scenario's way."""
        ways: dict[str, Callable[[Sequence[Peer]], Figures]] = {
            "load": self.contest,
            "latency": self.latency,
            "streams": self.streams,
            "workers": self.workers,
            "idle": self.idle,
            "start": self.start,
            "apply": self.apply,
        }
        return ways[self.scenario.kind](peers)

    def plans(self) -> Sequence[Plan]:
        """Return new plans, on ports that are free now."""
        return self.scenario.build(self.target, self.pem)

    def enter(self, stack: contextlib.ExitStack, peer: Peer, workers: int = 1) -> Entry | None:
        """Start a peer; one that can't start is noted and left out."""
        plans = [replace(plan, workers=workers) for plan in self.plans()]
        cores = (
            self.bench.proxy_core
            if workers == 1
            else f"{self.bench.load_core},{self.bench.proxy_core}"
        )
        try:
            return stack.enter_context(running(self.bench, peer, plans, cores))
        except Fault as fault:
            self.bench.notes.append(f"{peer.name}: {fault}")
            return None

    def all(self, stack: contextlib.ExitStack, peers: Sequence[Peer]) -> list[Entry]:
        """Start every peer that can."""
        return [entry for peer in peers if (entry := self.enter(stack, peer))]

    def direct(self) -> Entry:
        """Return the way to the backend without a proxy."""
        return Entry("direct", self.target, (), "")

    def contest(self, peers: Sequence[Peer]) -> Figures:
        """CPU of saturated proxies."""
        with contextlib.ExitStack() as stack:
            return self.columns(rounds(self.bench, self.all(stack, peers), self.load))

    def latency(self, peers: Sequence[Peer]) -> Figures:
        """Latency above the direct connection's of the same round, on cores that are kept awake."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(awake([int(self.bench.load_core), int(self.bench.proxy_core)]))
            entries = [self.direct(), *self.all(stack, peers)]
            return self.above_direct(rounds(self.bench, entries, self.load))

    def streams(self, peers: Sequence[Peer]) -> Figures:
        """How much later chunks come than on a direct connection, and what a stream costs."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(awake([int(self.bench.load_core), int(self.bench.proxy_core)]))
            entries = [self.direct(), *self.all(stack, peers)]
            time.sleep(REST_S)
            rest = {entry.name: entry.memory("Rss") for entry in entries}
            samples = rounds(self.bench, entries, self.load, held=True)
        for name, values in samples.items():
            for sample in values:
                added = sample["rss_mib"] - rest[name]
                sample["kib_per_stream"] = added * 1024 / STREAMS
        return self.above_direct(samples)

    def above_direct(self, samples: dict[str, list[Sample]]) -> Figures:
        """Take the direct connection's latencies of the same round from each peer's."""
        base = samples.pop("direct", [])
        for values in samples.values():
            for sample, zero in zip(values, base, strict=False):
                sample["added_p50_us"] = sample["p50"] - zero["p50"]
                sample["added_p99_us"] = sample["p99"] - zero["p99"]
        figures = self.columns(samples) if base else {}
        figures["direct"] = {key: [one[key] for one in base] for key in ("p50", "p99")}
        return figures

    def workers(self, peers: Sequence[Peer]) -> Figures:
        """The same load on one worker on one core, and on two workers on both cores."""
        figures: Figures = {}
        for peer in peers:
            with contextlib.ExitStack() as stack:
                pair = [entry for n in (1, 2) if (entry := self.enter(stack, peer, n))]
                for entry, name in zip(pair, ("one", "two"), strict=False):
                    entry.name = name
                samples = rounds(self.bench, pair, self.load)
            if "one" in samples and "two" in samples:
                one = [sample["cpu_us"] for sample in samples["one"]]
                two = [sample["cpu_us"] for sample in samples["two"]]
                ratio = [b / a for a, b in zip(one, two, strict=True)]
                figures[peer.name] = {"cpu_us_one": one, "cpu_us_two": two, "two_over_one": ratio}
        return figures

    def idle(self, peers: Sequence[Peer]) -> Figures:
        """Memory at rest, and what nine thousand kept-alive connections add to it."""
        figures: Figures = {}
        for peer in peers:
            with contextlib.ExitStack() as stack:
                entry = self.enter(stack, peer)
                if entry is None:
                    continue
                try:
                    figures[peer.name] = self.held(entry)
                except Fault as fault:
                    self.bench.notes.append(str(fault))
        return figures

    def held(self, entry: Entry) -> dict[str, list[float]]:
        """Hold connections on one entry and read its memory before and meanwhile."""
        time.sleep(REST_S)
        rss, before = entry.memory("Rss"), entry.memory("Pss")
        mode, *flags = self.load
        command = [
            "taskset", "-c", self.bench.load_core, str(self.bench.loadgen), mode,
            "--target", f"127.0.0.1:{entry.port}", "--connections", str(IDLE), *flags,
        ]  # fmt: skip
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            if process.stdin is None or process.stdout is None:
                raise Fault("no pipes")
            process.stdout.readline()
            time.sleep(REST_S)
            after = entry.memory("Pss")
            process.stdin.close()
            result = json.loads(process.stdout.readline())
        check(entry.name, result)
        if result["still_open"] != IDLE:
            raise Fault(f"{entry.name} kept {result['still_open']} of {IDLE} idle connections")
        return {
            "rss_mib": [rss],
            "pss_mib": [before],
            "mib_per_10k": [(after - before) * 10_000 / IDLE],
        }

    def start(self, peers: Sequence[Peer]) -> Figures:
        """Time from the start to the first answer, CPU per request, and memory after it."""
        samples: dict[str, list[Sample]] = {peer.name: [] for peer in peers}
        for _ in range(self.bench.rounds):
            for peer in [peer for peer in peers if peer.name in samples]:
                with contextlib.ExitStack() as stack:
                    begun = time.monotonic()
                    entry = self.enter(stack, peer)
                    if entry is None:
                        del samples[peer.name]
                        continue
                    try:
                        first_answer(entry.port, self.scenario)
                        took = time.monotonic() - begun
                        measured = load(self.bench, entry, self.load)
                        samples[peer.name].append(
                            measured | {"start_s": took, "pss_mib": entry.memory("Pss")}
                        )
                    except Fault as fault:
                        self.bench.notes.append(str(fault))
                        del samples[peer.name]
        return self.columns(samples)

    def apply(self, peers: Sequence[Peer]) -> Figures:
        """Changes through the embed API while requests pass."""
        return {
            peer.name: values
            for peer in peers
            if (values := measure_apply(self.bench, peer, self.plans()[0], self.load))
        }

    def columns(self, samples: Mapping[str, Sequence[Sample]]) -> Figures:
        """Turn each peer's rounds into a list for each metric that the scenario tells."""
        return {
            name: {key: [one[key] for one in values] for key in self.scenario.metrics}
            for name, values in samples.items()
            if values
        }


def first_answer(port: int, scenario: Scenario) -> None:
    """Wait until a request is answered with 200."""
    host = "h77.test" if scenario.own_addresses else "bench.test"
    path = "/1k" if scenario.own_addresses else "/p77/x"
    limit = time.monotonic() + START_LIMIT_S
    while time.monotonic() < limit:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with (
            contextlib.closing(connection),
            contextlib.suppress(OSError, http.client.HTTPException),
        ):
            connection.request("GET", path, headers={"Host": host})
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        time.sleep(0.002)
    raise Fault(f"no answer on {port}")
