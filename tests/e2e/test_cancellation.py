"""Cancellation: how long it takes from a client's leaving to the end of its request upstream."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.support.bridge import BRIDGES, NAMES, Http1, Http2, Speaker, asking, before, telling
from tests.support.figures import Figure, quantile, spread
from tests.support.frames import CANCEL, get
from tests.support.proxy import running
from tests.support.scale import SCALE, scaled
from tests.support.wire import PATIENCE

FULL_COUNT = 200
# Seconds; the bar, and what a machine that does other things beside it may need.
BAR = 0.010
GENEROUS = 1.0

# Before the answer's head, and in the middle of its body.
PHASES = ("waiting", "downloading")
# How a client leaves: it resets or closes its connection; of HTTP/2, it resets its stream.
WAYS = {1: ("reset", "close"), 2: ("stream", "close")}
HALF = b"half"


class Held:
    """A server that never finishes its answer, and notes when a request is given up."""

    def __init__(self) -> None:
        """Nobody is held."""
        self.phase = PHASES[0]
        self._arrive, self.arrived = trio.open_memory_channel[None](1)
        self._give_up, self.given_up = trio.open_memory_channel[float](1)

    async def story(self, server: Speaker) -> None:
        """Serve one connection."""
        await (self._first(server) if isinstance(server, Http1) else self._second(server))

    async def _first(self, server: Http1) -> None:
        while (await server.wire.head()).target == b"/next":
            await server.answer(200)
        if self.phase == "downloading":
            await server.wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", HALF)
        await self._arrive.send(None)
        try:
            await server.wire.rest()
        finally:
            self._give_up.send_nowait(time.perf_counter())

    async def _second(self, server: Speaker) -> None:
        assert isinstance(server, Http2)
        while True:
            server.ident = ident = await server.frames.opened()
            stream = server.frames.stream(ident)
            if stream.message.target == b"/next":
                await server.answer(200)
                continue
            if self.phase == "downloading":
                await server.frames.head(ident, [(b":status", b"200")])
                await server.frames.data(ident, HALF)
            await self._arrive.send(None)
            while stream.reset is None:
                await server.frames.frame()
            await self._give_up.send(time.perf_counter())


@asynccontextmanager
async def clients(port: int, version: int, way: str) -> AsyncIterator[list[Speaker]]:
    """Where only streams end, one client for all requests; else the list stays empty."""
    if way != "stream":
        yield []
        return
    async with asking(port, version) as client:
        yield [client]


async def begin(client: Speaker, held: Held) -> None:
    """Ask, and wait until the request is as far as it gets."""
    if isinstance(client, Http2):
        client.ident = await client.frames.open(get())
    else:
        await client.ask("GET /")
    await held.arrived.receive()
    if held.phase != "downloading":
        return
    if isinstance(client, Http2):
        await client.frames.until_body(client.ident, len(HALF))
    else:
        await client.wire.until(HALF)


async def cancel(port: int, version: int, way: str, held: Held) -> float:
    """One client that asks and leaves: seconds until the upstream hears of it."""
    async with asking(port, version) as client:
        await begin(client, held)
        left = time.perf_counter()
        if way == "reset":
            client.wire.reset()
        else:
            client.wire.socket.close()
        with trio.fail_after(PATIENCE):
            return await held.given_up.receive() - left


async def cancel_stream(client: Speaker, held: Held) -> float:
    """The same of a stream; its connection serves on."""
    assert isinstance(client, Http2)
    await begin(client, held)
    left = time.perf_counter()
    await client.frames.reset(client.ident, CANCEL)
    with trio.fail_after(PATIENCE):
        took = await held.given_up.receive() - left
    await client.ask("GET /next")
    assert (await client.response())[1].status == 200
    return took


@pytest.mark.parametrize("versions", BRIDGES, ids=NAMES)
async def test_a_client_that_leaves_is_heard_upstream_at_once(
    tmp_path: Path, versions: tuple[int, int], figure: Figure
) -> None:
    held, times = Held(), {}
    async with (
        telling(held.story, versions[1]) as server,
        running(tmp_path, before(server.address, versions[1])) as proxy,
    ):
        port = await proxy.port()
        for held.phase in PHASES:
            for way in WAYS[versions[0]]:
                async with clients(port, versions[0], way) as kept:
                    times[way, held.phase] = [
                        await cancel_stream(kept[0], held)
                        if kept
                        else await cancel(port, versions[0], way, held)
                        for _ in range(scaled(FULL_COUNT, 10))
                    ]
    for (way, phase), seconds in times.items():
        figure(f"{way} while {phase}", spread(seconds))
        assert quantile(seconds, 0.5) <= GENEROUS
        assert SCALE < 1 or quantile(seconds, 0.99) <= BAR
