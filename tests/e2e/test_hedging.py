"""A second attempt beside the first: who answers first wins, and the other ends at once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio

from tests.support.bridge import BRIDGES, NAMES, Http2, Speaker, asking, telling
from tests.support.proxy import Document, Proxy, running
from tests.support.scale import scaled
from tests.support.upstream import GONE
from tests.support.wire import connect

PATIENCE = 20.0
CALLERS = 32
bridges = pytest.mark.parametrize("versions", BRIDGES, ids=NAMES)


class Server:
    """Answers at once, after a time, or never."""

    def __init__(self, name: str, wait: float | None = 0.0, status: int = 200) -> None:
        """Answer with `name` after `wait`; None is never."""
        self.name = name
        self.wait = wait
        self.status = status
        self.heard = 0
        self.asked = trio.Event()
        self.cancelled = trio.Event()
        self.cancelled_at = 0.0

    async def __call__(self, server: Speaker) -> None:
        """Serve a connection."""
        while True:
            await server.request()
            self.heard += 1
            self.asked.set()
            if self.wait is None:
                await self._hang(server)
                return
            await trio.sleep(self.wait)
            await server.answer(self.status, body=self.name.encode())

    async def _hang(self, server: Speaker) -> None:
        with suppress(*GONE):
            if isinstance(server, Http2):
                stream = server.frames.stream(server.ident)
                while stream.reset is None:
                    await server.frames.frame()
            else:
                await server.wire.rest()
        self.cancelled_at = trio.current_time()
        self.cancelled.set()


def document(version: int, *addresses: str, **route: object) -> Document:
    """One route that hedges before these endpoints."""
    routes = [{"to": "web", "hedge": {"delay": "50ms"}, **route}]
    cluster: dict[str, object] = {
        "name": "web",
        "endpoints": list(addresses),
        "protocol": f"http{version}",
    }
    return {
        "listeners": [{"name": "web", "address": "127.0.0.1:0", "routes": routes}],
        "clusters": [cluster],
    }


@asynccontextmanager
async def between(
    folder: Path, versions: tuple[int, int], *servers: Server, **route: object
) -> AsyncIterator[tuple[Speaker, Proxy]]:
    """A client and the proxy before two servers."""
    one, other = servers
    async with telling(one, versions[1]) as first, telling(other, versions[1]) as second:
        made = document(versions[1], first.address, second.address, **route)
        async with (
            running(folder, made) as proxy,
            asking(await proxy.port(), versions[0]) as client,
        ):
            with trio.fail_after(PATIENCE):
                yield client, proxy


async def number(proxy: Proxy, name: str) -> float:
    """What is counted of the cluster."""
    return await proxy.metric(f"meshcore_cluster_{name}_total")


@bridges
async def test_the_second_answers_for_a_first_that_hangs(
    tmp_path: Path, versions: tuple[int, int]
) -> None:
    slow, quick = Server("slow", None), Server("quick")
    async with between(tmp_path, versions, slow, quick) as (client, proxy):
        await client.ask("GET /")
        _, answer = await client.response()
        answered = trio.current_time()
        assert (answer.status, answer.body) == (200, b"quick")
        await slow.cancelled.wait()
        # 10 ms, and what this process needs to notice.
        assert slow.cancelled_at - answered < 0.5
        assert await number(proxy, "hedges") == 1
        # The body of a PUT goes with both.
        slow.wait = 0.0
        await client.ask("PUT /", body=b"x" * 100_000)
        assert (await client.response())[1].status == 200


@bridges
async def test_a_first_that_answers_soon_is_alone(
    tmp_path: Path, versions: tuple[int, int]
) -> None:
    one, other = Server("a"), Server("b")
    async with between(tmp_path, versions, one, other, hedge={"delay": "2s"}) as (client, proxy):
        for _ in range(10):
            await client.ask("GET /")
            assert (await client.response())[1].status == 200
        assert await number(proxy, "hedges") == 0
    assert one.heard == other.heard == 5


async def test_a_post_goes_once(tmp_path: Path) -> None:
    one, other = Server("a", 0.3), Server("b", 0.3)
    async with between(tmp_path, (1, 1), one, other) as (client, proxy):
        for _ in range(3):
            await client.ask("POST /", body=b"pay")
            assert (await client.response())[1].status == 200
        assert await number(proxy, "hedges") == 0
        await client.ask("POST /", (b"idempotency-key", b"7"), body=b"pay")
        assert (await client.response())[1].status == 200
        assert await number(proxy, "hedges") == 1


async def test_an_answer_that_is_tried_again_loses(tmp_path: Path) -> None:
    failing, slow = Server("failing", 0.2, 503), Server("slow", 0.4)
    retries = {"retry_on": ["5xx"], "attempts": 0}
    async with between(tmp_path, (1, 1), failing, slow, retries=retries) as (client, _):
        await client.ask("GET /")
        _, answer = await client.response()
        assert (answer.status, answer.body) == (200, b"slow")


async def test_hedges_stay_within_the_budget(tmp_path: Path) -> None:
    one, other, asked = Server("a", 0.1), Server("b", 0.1), scaled(20_000, 480)
    made_of = {"hedge": {"delay": "1ms"}}
    async with telling(one, 1) as first, telling(other, 1) as second:
        made = document(1, first.address, second.address, **made_of)
        async with running(tmp_path, made) as proxy:
            port = await proxy.port()

            async def call() -> None:
                async with connect(port) as wire:
                    for _ in range(asked // CALLERS):
                        assert (await wire.get("/")).status == 200

            async with trio.open_nursery() as nursery:
                for _ in range(CALLERS):
                    nursery.start_soon(call)
            hedges = await number(proxy, "hedges")
            # A fifth of what is in flight; while a caller thinks, its request isn't.
            assert 0 < hedges <= asked * 0.25
            assert await number(proxy, "retry_overflow") > 0
