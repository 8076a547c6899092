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
    base = meshcore.load(Path(sys.argv[1]))
    variants = [base, changed(base)]
    async with meshcore.Engine(variants[0]) as engine, trio.open_nursery() as nursery:
        print("ready", flush=True)
        running: Applying | None = None
        while line := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            times: list[float] = []
            if running is not None:
                times = await running.stop()
                running = None
            if line.strip() == "apply":
                running = Applying()
                nursery.start_soon(running.run, engine, variants)
            median = statistics.median(times) * 1e3 if times else None
            print(json.dumps({"applies": len(times), "median_ms": median}), flush=True)
        nursery.cancel_scope.cancel()


class Applying:
    """Applies one variant after the other until told to stop, and notes how long each took."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.wanted = True
        self.ended = trio.Event()

    async def run(self, engine: meshcore.Engine, variants: list[meshcore.Config]) -> None:
        """Apply at least once."""
        while self.wanted:
            begun = time.perf_counter()
            await engine.apply(variants[(len(self.times) + 1) % 2])
            self.times.append(time.perf_counter() - begun)
            await trio.sleep(PAUSE_S)
        self.ended.set()

    async def stop(self) -> list[float]:
        """Wait for the apply that runs, and return the times of all."""
        self.wanted = False
        await self.ended.wait()
        return self.times


def changed(config: meshcore.Config) -> meshcore.Config:
    """Return the configuration with one more endpoint in its first cluster."""
    first = config.clusters[0]
    more = first.endpoints[0].address.replace("127.1.", "127.2.")
    return config.with_endpoints(first.name, (*first.endpoints, more))


trio.run(main)
