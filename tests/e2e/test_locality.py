"""Who is near comes first, who is not takes over; shares of localities; endpoints that drain."""

from collections import Counter
from pathlib import Path

import pytest

from tests.support.backend import Backend, answered_by, backends
from tests.support.load import load, steady
from tests.support.proxy import Document, Proxy, running, web
from tests.support.scale import scaled
from tests.support.wire import connect

PLACES = ("eu/a/1", "eu/b/1", "us/a/1")


def placed(servers: list[Backend], here: str = "", **locality: object) -> Document:
    """One listener before a cluster with an endpoint in each place."""
    return at([server.address for server in servers], here, **locality)


def at(addresses: list[str], here: str = "", **locality: object) -> Document:
    """The same, of addresses."""
    document = web()
    document["clusters"][0] |= {
        "endpoints": [
            {"address": address, "locality": place}
            for address, place in zip(addresses, PLACES, strict=True)
        ],
        "locality": locality,
    }
    if here:
        document["locality"] = here
    return document


async def answers(proxy: Proxy, count: int = 12) -> Counter[str]:
    """Who answers, each how often."""
    async with connect(await proxy.port()) as wire:
        return Counter([await answered_by(wire) for _ in range(count)])


async def test_the_nearest_answer_and_the_next_nearest_take_over(tmp_path: Path) -> None:
    async with backends("ABC") as servers:
        near, next_near, far = (server.address for server in servers)
        # Nobody listens there: each request goes on to the next level.
        dead = "127.0.0.1:1"
        document = at([near, next_near, far], "eu/a/1")
        async with running(tmp_path, document, "--workers", "2") as proxy:
            assert await answers(proxy) == {"A": 12}
            await proxy.change(at([dead, next_near, far], "eu/a/1"))
            assert await answers(proxy) == {"B": 12}
            await proxy.change(at([dead, dead, far], "eu/a/1"))
            assert await answers(proxy) == {"C": 12}
            # The proxy itself moves; the endpoints stay the same.
            await proxy.change(at([near, dead, far], "us"))
            assert await answers(proxy) == {"C": 12}
            await proxy.change(at([near, dead, far], "eu/a"))
            assert await answers(proxy) == {"A": 12}


async def test_the_command_line_says_where_the_proxy_runs(tmp_path: Path) -> None:
    async with backends("ABC") as servers:
        document = placed(servers, "eu/a/1", failover=[{"from": "us", "to": "eu"}])
        async with running(tmp_path, document, "--locality", "us/a", "--workers", "1") as proxy:
            assert await answers(proxy) == {"C": 12}


async def test_nothing_is_near_from_nowhere(tmp_path: Path) -> None:
    async with backends("ABC") as servers:
        async with running(tmp_path, placed(servers), "--workers", "1") as proxy:
            assert await answers(proxy) == {"A": 4, "B": 4, "C": 4}
        off = placed(servers, "eu/a/1", enabled=False)
        async with running(tmp_path, off, "--workers", "1") as proxy:
            assert await answers(proxy) == {"A": 4, "B": 4, "C": 4}


async def test_localities_get_their_shares(tmp_path: Path) -> None:
    count = scaled(10_000, 2_000)
    shares = {"eu/a/*": 80, "eu/*": 20}
    async with backends("ABC") as servers:
        document = placed(servers, "eu/a/1", distribute=[{"from": "eu/*", "to": shares}])
        async with running(tmp_path, document, "--workers", "2") as proxy:
            report = await load("http", await proxy.port(), requests=count, connections=16)
    steady(report, count)
    found = report["backends"]
    assert set(found) == {"A", "B"}
    # Four standard deviations.
    allowed = 4 * (0.8 * 0.2 * report["requests"]) ** 0.5
    assert abs(found["A"] - 0.8 * report["requests"]) <= allowed, found


@pytest.mark.parametrize("balance", ["round_robin", "maglev"])
async def test_priorities_and_draining(tmp_path: Path, balance: str) -> None:
    async with backends("ABC") as servers:
        document = web()
        endpoints: list[dict[str, object]] = [{"address": server.address} for server in servers]
        document["clusters"][0] |= {"balance": balance, "endpoints": endpoints}
        endpoints[0]["priority"] = 1
        endpoints[1]["draining"] = True
        async with running(tmp_path, document, "--workers", "1") as proxy:
            assert await answers(proxy) == {"C": 12}
            endpoints[2]["draining"] = True
            await proxy.change(document)
            assert await answers(proxy) == {"A": 12}
            endpoints[0]["draining"] = True
            await proxy.change(document)
            async with connect(await proxy.port()) as wire:
                assert (await wire.get("/1k")).status == 503
