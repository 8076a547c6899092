"""What a mirror that hangs or fails adds to the slowest of the requests that it copies."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import pytest

from tests.e2e.test_real_programs import nginx
from tests.support.backend import backends
from tests.support.figures import Figure
from tests.support.load import load, steady
from tests.support.proxy import Document, running
from tests.support.scale import SCALE, scaled

# Of the 99th percentiles with a mirror to without, the median of all rounds: the bar.
BAR = 1.05
# Microseconds: what a machine that does other things at the same time may make of a p99.
GENEROUS = 250_000
# Rounds of a window without and a window with the mirror, and a window's seconds.
ROUNDS, ROUNDS_AT_MOST = scaled(9, 1), scaled(27, 1)
WINDOW = 4.0 if SCALE >= 1 else 0.3
# Requests per second; a copy costs a request's work and must not be what fills a core.
RATE = 250


def document(main: str, copy: str) -> Document:
    """Two listeners before one backend: `plain`, and `copied` with a mirror."""
    routes: dict[str, list[object]] = {
        "plain": [{"to": "main", "timeout": "2s"}],
        # Copies that nobody answers end with it.
        "copied": [{"to": "main", "mirrors": [{"cluster": "copy"}], "timeout": "2s"}],
    }
    return {
        "listeners": [
            {"name": name, "address": "127.0.0.1:0", "routes": made}
            for name, made in routes.items()
        ],
        "clusters": [
            {"name": "main", "endpoints": [main]},
            {"name": "copy", "endpoints": [copy]},
        ],
    }


async def p99(port: int) -> float:
    """What the slowest requests take, in microseconds."""
    report = await load("http", port, connections=4, rate=RATE, duration=WINDOW)
    steady(report, 1)
    assert report["latency_us"]["p99"] <= GENEROUS
    return report["latency_us"]["p99"]


@asynccontextmanager
async def mirror(folder: Path, mood: str) -> AsyncIterator[str]:
    """A server's address. It takes next to no time of the processor from those who are measured."""
    if mood != "hangs":
        async with nginx(folder):
            yield f"unix:{folder}/{mood}.sock"
        return
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as deaf:
        yield f"127.0.0.1:{deaf.getsockname()[1]}"


@pytest.mark.parametrize("mood", ["hangs", "breaks", "fails"])
async def test_a_mirror_hardly_shows(tmp_path: Path, figure: Figure, mood: str) -> None:
    plain: list[float] = []
    copied: list[float] = []

    def ratio() -> float:
        return median([with_ / without for with_, without in zip(copied, plain, strict=True)])

    async with (
        backends("A") as (server,),
        mirror(tmp_path, mood) as address,
        running(tmp_path, document(server.address, address), "--workers", "1") as proxy,
    ):
        ports = [await proxy.port(name) for name in ("plain", "copied")]
        while len(plain) < ROUNDS or (ratio() > BAR and len(plain) < ROUNDS_AT_MOST):
            # In turns, so that a drift of the machine favours neither.
            first = len(plain) % 2
            for at in (first, 1 - first):
                (plain, copied)[at].append(await p99(ports[at]))
        assert await proxy.metric("meshcore_cluster_mirrors_total") > 0
    shown = f"p99 {median(copied):.0f} µs, without {median(plain):.0f} µs"
    figure("with the mirror", f"{shown}, median of {len(plain)} ratios {ratio():.3f}")
    assert SCALE < 1 or ratio() <= BAR
