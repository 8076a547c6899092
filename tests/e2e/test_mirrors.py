"""Copies of requests: they say the same, and whatever becomes of them, nobody waits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.support.bridge import BRIDGES, NAMES, Http2, Speaker, asking, telling
from tests.support.proxy import Document, Proxy, running
from tests.support.scale import scaled
from tests.support.upstream import Upstream
from tests.support.wire import Message, connect

PATIENCE = 20.0
bridges = pytest.mark.parametrize("versions", BRIDGES, ids=NAMES)


class Server:
    """Answers, or does not, and notes what it heard."""

    def __init__(self, status: int = 200) -> None:
        """Answer so; 0 never answers, and 1 ends the connection."""
        self.status = status
        self.heard: list[Message] = []

    async def __call__(self, server: Speaker) -> None:
        """Serve a connection."""
        while True:
            self.heard.append(await server.request())
            if self.status == 1:
                return
            if self.status == 0 and not isinstance(server, Http2):
                await server.wire.rest()
                return
            if self.status:
                await server.answer(self.status, body=b"answer")


def document(main: Upstream, *copies: Upstream, version: int = 1, **mirror: object) -> Document:
    """One route with a mirror in each of `copies`."""
    named = [("main", main), *((f"copy{at}", copy) for at, copy in enumerate(copies))]
    mirrors = [{"cluster": name, **mirror} for name, _ in named[1:]]
    routes = [{"to": "main", "mirrors": mirrors}]
    return {
        "listeners": [{"name": "web", "address": "127.0.0.1:0", "routes": routes}],
        "clusters": [
            {"name": name, "endpoints": [up.address], "protocol": f"http{version}"}
            for name, up in named
        ],
    }


@asynccontextmanager
async def before(
    folder: Path, made: Document, version: int = 1
) -> AsyncIterator[tuple[Speaker, Proxy]]:
    """A client before this proxy."""
    async with running(folder, made) as proxy, asking(await proxy.port(), version) as client:
        with trio.fail_after(PATIENCE):
            yield client, proxy


async def number(proxy: Proxy, name: str) -> float:
    """What is counted of the first mirror."""
    return await proxy.metric(f"meshcore_cluster_{name}", cluster="copy0")


async def settled(proxy: Proxy) -> None:
    """Wait until no copy is on its way."""
    while await proxy.metric("meshcore_cluster_mirrors_active"):
        pass


@bridges
async def test_copies_say_the_same(tmp_path: Path, versions: tuple[int, int]) -> None:
    main, one, other = Server(), Server(503), Server()
    async with (
        telling(main, versions[1]) as up,
        telling(one, versions[1]) as first,
        telling(other, versions[1]) as second,
        before(tmp_path, document(up, first, second, version=versions[1]), versions[0]) as link,
    ):
        client, proxy = link
        body = bytes(range(256)) * 1000
        for _ in range(3):
            await client.ask("POST /a?b", (b"x-one", b"1"), body=body)
            _, answer = await client.response()
            assert (answer.status, answer.body) == (200, b"answer")
            await client.ask("GET /")
            assert (await client.response())[1].status == 200
        await settled(proxy)
        assert await number(proxy, "mirrors_total") == 6
        assert await number(proxy, "mirror_failures_total") == 0
        if versions[1] == 1:
            assert first.connections < 6, "connections are used again"
    host = b"host" if versions[1] == 1 else b":authority"
    for copies in (one.heard, other.heard):
        assert [message.body for message in copies].count(body) == 3
        assert {message.value(host) for message in copies} == {b"test-shadow"}
        assert {message.value(b"x-one") for message in copies} == {b"1", None}
        assert {message.target for message in copies} == {b"/a?b", b"/"}
    assert {message.value(host) for message in main.heard} == {b"test"}


async def test_a_share_is_copied(tmp_path: Path) -> None:
    main, copy, asked = Server(), Server(), scaled(10_000, 1_000)
    async with (
        telling(main, 1) as up,
        telling(copy, 1) as mirror,
        running(tmp_path, document(up, mirror, percentage=10)) as proxy,
        connect(await proxy.port()) as wire,
    ):
        for _ in range(asked):
            assert (await wire.get("/")).status == 200
        await settled(proxy)
    # Five standard deviations.
    assert abs(len(copy.heard) - asked / 10) < 5 * (asked * 0.09) ** 0.5


@pytest.mark.parametrize("status", [0, 1, 503], ids=["hangs", "breaks", "fails"])
async def test_no_request_suffers(tmp_path: Path, status: int) -> None:
    main, copy, asked = Server(), Server(status), scaled(20_000, 500)
    async with telling(main, 1) as up, telling(copy, 1) as mirror:
        made = document(up, mirror)
        made["listeners"][0]["routes"][0]["timeout"] = "2s"  # type: ignore[index]
        async with before(tmp_path, made) as (_, proxy):
            async with connect(await proxy.port()) as wire:
                for _ in range(asked):
                    assert (await wire.get("/")).status == 200
            made_copies = await number(proxy, "mirrors_total")
            assert made_copies + await number(proxy, "mirrors_dropped_total") == asked
            if status == 0:
                assert await number(proxy, "mirrors_active") <= 256 * 2
            await settled(proxy)
            failures = await number(proxy, "mirror_failures_total")
            assert failures == (0 if status == 503 else made_copies)


async def test_a_long_body_is_not_copied(tmp_path: Path) -> None:
    main, copy = Server(), Server()
    async with (
        telling(main, 1) as up,
        telling(copy, 1) as mirror,
        before(tmp_path, document(up, mirror)) as (client, proxy),
    ):
        await client.ask("POST /", body=b"x" * ((1 << 20) + 1))
        assert (await client.response())[1].status == 200
        assert await number(proxy, "mirrors_dropped_total") == 1
    assert copy.heard == []
