"""Balancing, row 10: exact where it is promised to be exact, and fair where it is random."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio

from tests.support.backend import answered_by, backend, backends
from tests.support.load import load, steady
from tests.support.proxy import Document, running, talking, web
from tests.support.scale import scaled
from tests.support.upstream import Upstream, answering, ok, upstream
from tests.support.wire import Wire, connect

# The highest chi-square with two degrees of freedom that chance gives in 999 of 1,000 runs.
CHI_SQUARE_2_001 = 13.816


def balanced(how: str, *endpoints: object) -> Document:
    """One listener before a cluster that balances so."""
    document = web()
    document["clusters"][0] |= {"balance": how, "endpoints": list(endpoints)}
    return document


async def test_round_robin_is_exact_on_one_worker(tmp_path: Path) -> None:
    count = scaled(9_000, 90) // 3 * 3
    async with backends("ABC") as servers:
        document = balanced("round_robin", *(server.address for server in servers))
        async with talking(tmp_path, document, "--workers", "1") as wire:
            order = [await answered_by(wire) for _ in range(count)]
    assert len(set(order[:3])) == 3
    assert order == order[:3] * (count // 3)


async def test_round_robin_is_smooth_by_weight(tmp_path: Path) -> None:
    async with backends("ABC") as servers:
        endpoints = [
            {"address": server.address, "weight": weight}
            for server, weight in zip(servers, (5, 1, 1), strict=True)
        ]
        async with (
            running(tmp_path, balanced("round_robin", *endpoints), "--workers", "1") as proxy,
            connect(await proxy.port()) as wire,
        ):
            order = [await answered_by(wire) for _ in range(70)]
    assert order == order[:7] * 10
    assert sorted(order[:7]) == list("AAAAABC")
    # Smooth: the heavy one never takes its five turns in a row.
    assert "AAAAA" not in "".join(order[:7])


@pytest.mark.parametrize("workers", [1, 2, 4])
async def test_round_robin_over_workers_is_fair_to_one_each(tmp_path: Path, workers: int) -> None:
    count = scaled(9_000, 900) // 3 * 3
    async with backends("ABC") as servers:
        document = balanced("round_robin", *(server.address for server in servers))
        async with running(tmp_path, document, "--workers", str(workers)) as proxy:
            report = await load("http", await proxy.port(), requests=count, connections=64)
    steady(report, count)
    total = report["requests"]
    assert all(abs(n - total / 3) <= workers for n in report["backends"].values()), report


async def test_random_is_random(tmp_path: Path) -> None:
    count = scaled(100_000, 3_000)
    async with backends("ABC") as servers:
        document = balanced("random", *(server.address for server in servers))
        async with running(tmp_path, document, "--workers", "2") as proxy:
            report = await load("http", await proxy.port(), requests=count, connections=64)
    steady(report, count)
    expected = report["requests"] / 3
    square = sum((n - expected) ** 2 / expected for n in report["backends"].values())
    assert square < CHI_SQUARE_2_001, report["backends"]


class Busy:
    """Upstreams that never answer, so that whatever was picked stays active."""

    def __init__(self) -> None:
        """Nothing has arrived."""
        self.arrived = trio.Semaphore(0)

    async def script(self, wire: Wire) -> None:
        """Note one arrival and keep it."""
        await wire.until(b"\r\n\r\n")
        self.arrived.release()
        await wire.rest()


async def active(tmp_path: Path, document: Document, servers: list[Upstream], busy: Busy) -> None:
    """Add connections one by one; after each, no endpoint has two more than another."""
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(running(tmp_path, document, "--workers", "2"))
        port = await proxy.port()
        for number in range(1, 3 * len(servers) + 1):
            wire = await stack.enter_async_context(connect(port))
            await wire.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
            with trio.fail_after(10):
                await busy.arrived.acquire()
            counts = [server.connections for server in servers]
            assert sum(counts) == number
            assert max(counts) - min(counts) <= 1, counts
        # Whoever waits for ever is cut when the proxy drains.
        await stack.pop_all().aclose()


@pytest.mark.parametrize("protocol", ["http", "tcp"])
async def test_least_request_picks_a_true_minimum_over_all_workers(
    tmp_path: Path, protocol: str
) -> None:
    busy = Busy()
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(upstream(busy.script)) for _ in range(8)]
        document = balanced("least_request", *(server.address for server in servers))
        document["drain"] = {"timeout": "0s"}
        if protocol == "tcp":
            document["listeners"] = [
                {"name": "web", "address": "127.0.0.1:0", "protocol": "tcp", "to": "web"}
            ]
        await active(tmp_path, document, servers, busy)


@pytest.mark.parametrize("how", ["least_request", "p2c_ewma"])
async def test_a_slow_endpoint_gets_less(tmp_path: Path, how: str) -> None:
    count = scaled(20_000, 400)
    async with AsyncExitStack() as stack:
        quick = await stack.enter_async_context(answering("quick"))
        slow_requests = 0

        async def script(wire: Wire) -> None:
            nonlocal slow_requests
            while True:
                await wire.request()
                slow_requests += 1
                before = len(quick.requests)
                # Slow is: others are answered meanwhile, or nobody else asks any more.
                with trio.move_on_after(0.05):
                    while len(quick.requests) < before + 20:
                        await trio.lowlevel.checkpoint()
                await wire.send(ok(b"slow"))

        slow = await stack.enter_async_context(upstream(script))
        document = balanced(how, quick.address, slow.address)
        async with running(tmp_path, document) as proxy:
            report = await load("http", await proxy.port(), requests=count, connections=16)
    steady(report, count)
    assert slow_requests < report["requests"] / 4


async def test_weights_of_least_request(tmp_path: Path) -> None:
    count = scaled(9_000, 900)
    async with backend("A") as a, backend("B") as b:
        endpoints = [{"address": a.address, "weight": 3}, {"address": b.address, "weight": 1}]
        async with talking(tmp_path, balanced("least_request", *endpoints)) as wire:
            order = [await answered_by(wire) for _ in range(count)]
    assert abs(order.count("A") / count - 0.75) < 0.02
