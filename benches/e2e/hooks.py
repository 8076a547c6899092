"""What hooks cost: CPU of the worker for filters and remembered verdicts, latency for functions.

    hooks.py [--rounds 25] [--seconds 0.4] [--profile release] [--check]

An engine in this process, one worker, and the load generator beside it. A route has many times the
same hook, so that what one costs stands out: (CPU per request with - without) / times. CPU is that
of the worker's thread alone, from the kernel's scheduler. Each window of a route is compared with
one of the route without hooks right beside it, so that a machine that drifts does so for both; the
medians of those differences are told.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import trio

import meshcore

sys.path.insert(0, str(Path(__file__).resolve().parent))

from callgrind import KEY
from harness.contest import Bench, backend
from harness.environment import c_program, generator, library

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

#: Hooks of one kind on one route.
TIMES = 32
#: Requests per second where latency is looked at.
RATE = 1_000
#: Nanoseconds of the worker for a filter, or a verdict that is remembered; microseconds for a
#: function; and what a 99th percentile may differ by without any cause.
BARS = {
    "no-op": 50.0,
    "key": 300.0,
    "remembered": 1_000.0,
    "asked": 150.0,
    "p99 of others beside one that blocks": 1.25,
}


@meshcore.hook(headers=["x-api-key"], cache=["header.x-api-key"], ttl=3_600.0)
async def remembered(request: meshcore.Request) -> meshcore.Continue:
    """A verdict that holds for an hour."""
    return meshcore.Continue(cache=request.headers.get("x-api-key") is not None)


@meshcore.hook(headers=["x-api-key"])
async def asked(request: meshcore.Request) -> meshcore.Continue | meshcore.Answer:
    """A verdict that is asked for each time."""
    if request.headers.get("x-api-key") is None:
        return meshcore.Answer(401)
    return meshcore.Continue()


@meshcore.hook(timeout=5.0)
async def blocking(request: meshcore.Request) -> None:
    """Keeps the interpreter's thread to itself."""
    time.sleep(float(request.query or "0"))  # noqa: ASYNC251


FUNCTIONS = {
    **{f"remembered-{at}": remembered for at in range(TIMES)},
    "asked": asked,
    "blocking": blocking,
}


def document(port: int) -> dict[str, object]:
    """A route for each kind of hook, and one without."""
    path = str(library("api_key"))
    native = {"no-op": "", "key": KEY}
    hooks: list[dict[str, object]] = [
        {"name": f"{kind}-{at}", "native": path, **({"config": config} if config else {})}
        for kind, config in native.items()
        for at in range(TIMES)
    ]
    hooks += [{"name": name, "python": f"hooks:{name.partition('-')[0]}"} for name in FUNCTIONS]
    many = {kind: [f"{kind}-{at}" for at in range(TIMES)] for kind in (*native, "remembered")}
    routes = [
        {"match": {"headers": {"x-route": {"exact": name}}}, "to": "a", "hooks": used}
        for name, used in (*many.items(), ("asked", ["asked"]), ("blocking", ["blocking"]))
    ]
    return {
        "listeners": [
            {"name": "web", "address": "127.0.0.1:0", "routes": [*routes, {"to": "a"}]},
        ],
        "clusters": [{"name": "a", "endpoints": [f"127.0.0.1:{port}"]}],
        "hooks": hooks,
    }


def worker() -> Path:
    """The worker's thread."""
    for task in Path("/proc/self/task").iterdir():
        if (task / "comm").read_text().startswith("mc-worker"):
            return task
    raise SystemExit("there is no worker")


def cpu(task: Path) -> int:
    """Nanoseconds that a thread has run."""
    return int((task / "schedstat").read_text().split()[0])


class Load:
    """The load generator before one port."""

    def __init__(self, program: Path, port: int, seconds: float) -> None:
        """Ask that port."""
        self.base = [str(program), "http", "--target", f"127.0.0.1:{port}"]
        self.seconds = str(seconds)

    async def run(self, route: str, *flags: str) -> dict[str, object]:
        """Ask one route; the generator's report."""
        header = ("--header", f"x-route: {route}", "--header", f"x-api-key: {KEY}")
        command = [*self.base, "--path", "/1k", "--duration", self.seconds, *header, *flags]
        done = await trio.run_process(command, capture_stdout=True, check=False)
        report: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
        if report["failures"]:
            raise SystemExit(f"{route}: {report['failure_examples']}")
        return report


async def per_request(load: Load, task: Path, route: str) -> float:
    """Nanoseconds of the worker for a request of this route."""
    before = cpu(task)
    report = await load.run(route, "--connections", "16")
    requests = report["requests"]
    assert isinstance(requests, int)
    return (cpu(task) - before) / requests


async def latency(load: Load, route: str) -> dict[str, float]:
    """Microseconds at a steady rate."""
    report = await load.run(route, "--connections", "4", "--rate", str(RATE))
    found = report["latency_us"]
    assert isinstance(found, dict)
    return found


@contextmanager
def holding() -> Iterator[None]:
    """A thread that never waits."""
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            pass

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


async def more(
    load: Load, rounds: int, route: str, measured: Callable[[Load, str], Awaitable[float]]
) -> float:
    """The median of how much more a route costs than the one without hooks just before or after."""
    found: list[float] = []
    for at in range(rounds):
        pair = ("none", route) if at % 2 else (route, "none")
        figures = {name: await measured(load, name) for name in pair}
        found.append(figures[route] - figures["none"])
    return statistics.median(found)


async def filters(load: Load, task: Path, rounds: int) -> dict[str, float]:
    """Nanoseconds of one filter, or remembered verdict, for a request."""

    async def measured(load: Load, route: str) -> float:
        return await per_request(load, task, route)

    kinds = ("no-op", "key", "remembered")
    return {kind: await more(load, rounds, kind, measured) / TIMES for kind in kinds}


async def median_latency(load: Load, route: str) -> float:
    """Microseconds at a steady rate."""
    return (await latency(load, route))["p50"]


async def beside_one_that_blocks(load: Load, rounds: int) -> float:
    """The median of what a blocking function multiplies other routes' p99 by."""
    found: list[float] = []
    for _ in range(rounds):
        before = (await latency(load, "none"))["p99"]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(block, load)
            await trio.sleep(0.05)
            found.append((await latency(load, "none"))["p99"] / before)
    return statistics.median(found)


async def block(load: Load) -> None:
    """One request whose function blocks for as long as a window lasts."""
    path = f"/1k?{float(load.seconds):.1f}"
    command = [*load.base, "--path", path, "--header", "x-route: blocking", "--requests", "1"]
    await trio.run_process([*command, "--connections", "1"], capture_stdout=True, check=False)


async def measure(arguments: argparse.Namespace, port: int, program: Path) -> int:
    """Run everything and print it; 1 if bars that are to hold are missed."""
    config = meshcore.Config.model_validate(document(port))
    async with meshcore.Engine(config, workers=1, hooks=FUNCTIONS) as engine:
        (socket,) = engine.listeners()
        load = Load(program, int(socket.bound.rpartition(":")[2]), arguments.seconds)
        task = worker()
        await load.run("remembered", "--connections", "1")
        quiet = await filters(load, task, arguments.rounds)
        with holding():
            held = await filters(load, task, arguments.rounds)
        asked = await more(load, arguments.rounds, "asked", median_latency)
        beside = await beside_one_that_blocks(load, arguments.rounds)
    figures = {
        **quiet,
        **{f"{name}, a thread holds the GIL": value for name, value in held.items()},
        "asked, p50 more": asked,
        "p99 of others beside one that blocks, times": beside,
    }
    missed = 0
    for name, value in figures.items():
        bar = BARS[name.partition(",")[0]]
        missed += value > bar
        print(f"{name}: {value:.4g}, bar {bar:g}{'  MISSED' if value > bar else ''}")
    return 1 if missed and arguments.check else 0


def main() -> int:
    """Start what is needed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=0.4)
    parser.add_argument("--profile", default="release", help="cargo profile of the generator")
    parser.add_argument("--check", action="store_true", help="exit 1 if a bar is missed")
    arguments = parser.parse_args()
    program = generator(arguments.profile)
    bench = Bench(program, c_program("backend"), c_program("backend_h2"), "0", "1", 1, 1)
    with backend(bench) as behind:
        return trio.run(measure, arguments, behind.http, program)


if __name__ == "__main__":
    sys.exit(main())
