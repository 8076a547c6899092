"""Embeds the engine and applies one changed Endpoints again and again while it is told to.

    apply_probe.py DOCUMENT      reads `apply` and `quiet` from standard input, a line each

It runs in the virtual environment that has meshcore, so it uses nothing else.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

import trio

import meshcore

#: Applies start this far apart, as in a busy mesh; each takes a few milliseconds.
PAUSE_S = 0.05


async def main() -> None:
    """Serve the document and obey."""
    path = Path(sys.argv[1])
    variants = [meshcore.load(path), changed(path)]
    async with meshcore.Engine(variants[0]) as engine, trio.open_nursery() as nursery:
        print("ready", flush=True)
        scope: trio.CancelScope | None = None
        times: list[float] = []
        while line := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            if scope is not None:
                scope.cancel()
                scope = None
            if line.strip() == "apply":
                times = []
                scope = trio.CancelScope()
                nursery.start_soon(apply_for_ever, engine, variants, times, scope)
            median = statistics.median(times) * 1e3 if times else None
            print(json.dumps({"applies": len(times), "median_ms": median}), flush=True)
        nursery.cancel_scope.cancel()


def changed(path: Path) -> object:
    """Return the document with one more endpoint in its first cluster."""
    document = json.loads(path.read_text())
    first = document["clusters"][0]
    first["endpoints"] = [*first["endpoints"], first["endpoints"][0].replace("127.1.", "127.2.")]
    other = path.with_name("changed.json")
    other.write_text(json.dumps(document))
    return meshcore.load(other)


async def apply_for_ever(
    engine: meshcore.Engine, variants: list[object], times: list[float], scope: trio.CancelScope
) -> None:
    """Apply one variant after the other, and note how long each took."""
    turn = 0
    with scope:
        while True:
            turn += 1
            begun = time.perf_counter()
            await engine.apply(variants[turn % 2])
            times.append(time.perf_counter() - begun)
            await trio.sleep(PAUSE_S)


trio.run(main)
