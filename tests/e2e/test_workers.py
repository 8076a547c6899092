"""Two workers, row 8: the same behaviour over few and many connections."""

import json
from pathlib import Path

import pytest
import trio

from tests.support.backend import backends
from tests.support.load import load, steady
from tests.support.proxy import Proxy, running, web
from tests.support.scale import scaled


@pytest.mark.parametrize("connections", [2, 64])
async def test_load_over_two_workers(tmp_path: Path, connections: int) -> None:
    count = scaled(200_000, 5_000)
    async with backends("AB") as servers:
        document = web(*(server.address for server in servers))
        async with running(tmp_path, document, "--workers", "2") as proxy:
            port = await proxy.port()
            flags = {"requests": count, "connections": connections, "check_echo": True}
            steady(await load("http", port, **flags), count)
            steady(await load("http", port, fresh=True, **flags), count)
            body = {"path": "/64k", "check_pattern": True, "expect_length": 65536}
            steady(await load("http", port, **flags, **body), count)
            counted = await proxy.metric("meshcore_cluster_requests_total", cluster="web")
    assert counted >= 3 * count


async def test_an_endpoints_connection_limit_is_exact_over_workers(tmp_path: Path) -> None:
    async with backends("A") as (server,):
        document = web(server.address)
        document["clusters"][0]["pool"] = {"max_connections": 4}
        async with (
            running(tmp_path, document, "--workers", "2") as proxy,
            trio.open_nursery() as nursery,
        ):
            seen: list[int] = []
            nursery.start_soon(open_connections, proxy, seen)
            report = await load(
                "http", await proxy.port(), requests=200, connections=32, path="/delay/20"
            )
            nursery.cancel_scope.cancel()
            name = "meshcore_cluster_overflow_total"
            assert await proxy.metric(name) == report["failures"] > 0
    assert max(seen) == 4


async def open_connections(proxy: Proxy, seen: list[int]) -> None:
    """Note again and again how many connections to the endpoint are open."""
    while True:
        (cluster,) = json.loads(await proxy.ask("/clusters?format=json"))
        seen.append(cluster["endpoints"][0]["connections"])
        await trio.sleep(0.005)


async def test_an_idle_connection_of_one_worker_turns_nobody_away(tmp_path: Path) -> None:
    async with backends("A") as (server,):
        document = web(server.address)
        document["clusters"][0]["pool"] = {"max_connections": 1}
        async with running(tmp_path, document, "--workers", "2") as proxy:
            report = await load("http", await proxy.port(), requests=500, connections=1, fresh=True)
            steady(report, 500)
            # Both workers were at work, or nothing was shown.
            assert await proxy.metric("meshcore_cluster_connects_total") > 1


async def test_many_workers_start_and_end(tmp_path: Path) -> None:
    async with backends("A") as (server,):
        for workers in ("1", "3", "8"):
            async with running(tmp_path, web(server.address), "--workers", workers) as proxy:
                steady(await load("http", await proxy.port(), requests=500), 500)
