"""A second attempt beside the first: who answers first wins, and the other ends at once."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio

from tests.support.bridge import BRIDGES, NAMES, Http2, Speaker, asking, telling
from tests.support.figures import Figure, quantile, spread
from tests.support.proxy import Document, Proxy, running
from tests.support.scale import SCALE, scaled
from tests.support.upstream import GONE
from tests.support.wire import connect

PATIENCE = 20.0
CALLERS = 32
# Seconds from the answer to the loser's end: the bar, and what a machine that does other
# things at the same time may need.
BAR = 0.010
GENEROUS = 0.5
bridges = pytest.mark.parametrize("versions", BRIDGES, ids=NAMES)


class Server:
    """Answers at once, after a time, or never."""

    def __init__(self, name: str, wait: float | None = 0.0, status: int = 200) -> None:
        """Answer with `name` after `wait`; None is never."""
        self.name = name
        self.wait = wait
        self.status = status
        self.heard = 0
        self._give_up, self.given_up = trio.open_memory_channel[float](1)

    async def __call__(self, server: Speaker) -> None:
        """Serve a connection."""
        while True:
            await server.request()
            self.heard += 1
            if self.wait is None:
                await self._hang(server)
                if not isinstance(server, Http2):
                    return
                continue
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
        await self._give_up.send(time.perf_counter())


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
    tmp_path: Path, versions: tuple[int, int], figure: Figure
) -> None:
    slow, quick = Server("slow", None), Server("quick")
    asked = scaled(200, 5)
    ended: list[float] = []
    made = {"hedge": {"delay": "5ms"}}
    async with between(tmp_path, versions, slow, quick, **made) as (client, proxy):
        while len(ended) < asked:
            hedged = slow.heard
            await client.ask("GET /")
            _, answer = await client.response()
            answered = time.perf_counter()
            assert (answer.status, answer.body) == (200, b"quick")
            if slow.heard > hedged:
                ended.append(await slow.given_up.receive() - answered)
        assert await number(proxy, "hedges") == asked
        # The body of a PUT goes with both.
        slow.wait = 0.0
        await client.ask("PUT /", body=b"x" * 100_000)
        assert (await client.response())[1].status == 200
    figure("the loser's end after the answer", spread(ended))
    assert quantile(ended, 0.5) <= GENEROUS
    assert SCALE < 1 or quantile(ended, 0.99) <= BAR


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


async def test_hedges_stay_within_the_budget(tmp_path: Path, figure: Figure) -> None:
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
            figure("extra load", f"{hedges / asked:.1%} of {asked} requests, budget 20 %")
            # A fifth of what is in flight; while a caller thinks, its request isn't.
            assert 0 < hedges <= asked * 0.25
            assert await number(proxy, "retry_overflow") > 0
