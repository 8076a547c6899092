"""Limits of clusters and endpoints: exact over all workers; what is above waits or is refused."""

from collections import Counter
from pathlib import Path

import trio

from tests.support.proxy import Document, running, web
from tests.support.upstream import Upstream, ok, upstream
from tests.support.wire import Wire, connect

PATIENCE = 20.0


class Held:
    """A server that answers when the test says so."""

    def __init__(self) -> None:
        """Nobody has asked."""
        self.go = trio.Event()
        self.asked = 0
        self.most = 0
        self.busy = 0

    async def script(self, wire: Wire) -> None:
        """Serve a connection. Of those at rest, one that makes room may be heard of too late."""
        while True:
            await wire.request()
            self.asked += 1
            self.busy += 1
            self.most = max(self.most, self.busy)
            await self.go.wait()
            self.busy -= 1
            await wire.send(ok())


def limited(server: Upstream, **keys: object) -> Document:
    """A cluster of one endpoint with these keys."""
    document = web(server.address)
    document["clusters"][0].update(keys)
    return document


async def burst(port: int, count: int, seen: Counter[str]) -> None:
    """Requests at once, each on a connection of its own."""

    async def one() -> None:
        async with connect(port) as wire:
            answer = await wire.get("/")
        seen[(answer.error or b"ok").decode()] += 1

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(one)


async def until(seen: Counter[str], name: str, count: int) -> None:
    """Wait until so many were answered so."""
    with trio.fail_after(PATIENCE):
        while seen[name] < count:
            await trio.lowlevel.checkpoint()


async def test_requests_above_a_limit_are_refused(tmp_path: Path) -> None:
    for keys in ({"limits": {"max_requests": 3}}, {"endpoint_limits": {"max_requests": 3}}):
        held = Held()
        async with upstream(held.script) as server:
            document = limited(server, **keys)
            async with running(tmp_path, document, "--workers", "2") as proxy:
                port = await proxy.port()
                seen: Counter[str] = Counter()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(burst, port, 10, seen)
                    await until(seen, "upstream_overflow", 7)
                    held.go.set()
                assert (held.asked, dict(seen)) == (3, {"upstream_overflow": 7, "ok": 3})
                assert await proxy.metric("meshcore_cluster_overflow_total") == 7


async def test_requests_wait_for_a_connection_up_to_a_bound(tmp_path: Path) -> None:
    held = Held()
    async with upstream(held.script) as server:
        limits = {"max_connections": 2, "max_pending_requests": 4}
        document = limited(server, limits=limits)
        async with running(tmp_path, document, "--workers", "2") as proxy:
            port = await proxy.port()
            seen: Counter[str] = Counter()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(burst, port, 2, seen)
                with trio.fail_after(PATIENCE):
                    while held.asked < 2:
                        await trio.lowlevel.checkpoint()
                nursery.start_soon(burst, port, 10, seen)
                await until(seen, "upstream_overflow", 6)
                assert await proxy.metric("meshcore_cluster_requests_pending") == 4
                assert await proxy.metric("meshcore_cluster_circuit_breakers_cx_open") == 1
                held.go.set()
            assert dict(seen) == {"upstream_overflow": 6, "ok": 6}
            assert held.most == 2


async def test_who_waits_too_long_is_refused(tmp_path: Path) -> None:
    held = Held()
    async with upstream(held.script) as server:
        timeouts = {"connect": "100ms"}
        document = limited(server, limits={"max_connections": 1}, timeouts=timeouts)
        async with running(tmp_path, document, "--workers", "1") as proxy:
            port = await proxy.port()
            seen: Counter[str] = Counter()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(burst, port, 3, seen)
                await until(seen, "upstream_overflow", 2)
                held.go.set()
            assert dict(seen) == {"upstream_overflow": 2, "ok": 1}
