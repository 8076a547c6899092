"""Times `Engine.apply` in a program that embeds the engine, and the requests meanwhile."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.contest import Bench, Entry, load
from harness.peers.meshcore import write
from harness.processes import Child, Fault, free_port

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.peers import Peer
    from harness.plan import Plan

PROBE = Path(__file__).resolve().parent.parent / "apply_probe.py"


def measure_apply(
    bench: Bench, peer: Peer, plan: Plan, arguments: Sequence[str]
) -> dict[str, list[float]]:
    """Return the milliseconds of applies, and the generator's p99.9 with and without them."""
    with tempfile.TemporaryDirectory(prefix="bench-apply-") as folder:
        started = replace(plan, admin=free_port())
        document = write(started, Path(folder))
        python = Path(peer.variables["MESHCORE_PYTHON"])
        command = ["taskset", "-c", bench.proxy_core, str(python), str(PROBE), str(document)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as probe:
            try:
                return _talk(bench, probe, started, arguments)
            except (Fault, TypeError, ValueError) as fault:
                bench.notes.append(f"apply: {fault}")
                return {}
            finally:
                probe.terminate()


def _talk(
    bench: Bench, probe: subprocess.Popen[str], plan: Plan, arguments: Sequence[str]
) -> dict[str, list[float]]:
    """Alternate rounds without and with applies; the probe obeys a line each."""
    if probe.stdin is None or probe.stdout is None:
        raise Fault("no pipes")

    def say(word: str) -> str:
        print(word, file=probe.stdin, flush=True)
        return probe.stdout.readline() if probe.stdout else ""

    if probe.stdout.readline().strip() != "ready":
        raise Fault("the embedding program didn't start")
    entry = Entry("meshcore", plan.listen, _no_children(), bench.proxy_core)
    found: dict[str, list[float]] = {
        "apply_ms": [], "p99_9_quiet_us": [], "p99_9_applying_us": [], "applying_over_quiet": []
    }  # fmt: skip
    for _ in range(bench.rounds):
        quiet = load(bench, entry, arguments)["p99_9"]
        say("apply")
        applying = load(bench, entry, arguments)["p99_9"]
        found["apply_ms"].append(float(json.loads(say("quiet"))["median_ms"]))
        found["p99_9_quiet_us"].append(quiet)
        found["p99_9_applying_us"].append(applying)
        found["applying_over_quiet"].append(applying / quiet)
    return found


def _no_children() -> Sequence[Child]:
    """The probe is this module's own; nothing is put to sleep or counted."""
    return ()
