"""Flow control of HTTP/2: who gives no window stops its own stream, and costs next to nothing."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from hyperframe.frame import WindowUpdateFrame

from tests.support.bridge import Bridge, Http1, Http2, Speaker, asking, bridge
from tests.support.frames import FIRST_WINDOW, LARGEST_FRAME, Frames, get
from tests.support.proxy import Proxy

MIB = 1 << 20
GIB = 1 << 30
# What a stalled stream may add to the process: its windows on both sides and the allocator's slack.
GROWTH_KIB = 4 * 1024
# What a stalled copy may have taken: windows, buffers, and the kernel's on both sides.
UNDER_WAY = 64 * MIB
OTHERS = 50
LARGE = b"/large"

versions = pytest.mark.parametrize("version", [1, 2])


class Endless:
    """A server whose `/large` never ends, and that answers everything else meanwhile."""

    def __init__(self) -> None:
        """Nothing sent yet."""
        self.sent = 0

    async def story(self, server: Speaker) -> None:
        """Serve one connection."""
        await (self._first(server) if isinstance(server, Http1) else self._second(server))

    async def _first(self, server: Http1) -> None:
        while (await server.request()).target != LARGE:
            await server.answer(200, body=b"small")
        await server.wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % GIB)
        while self.sent < GIB:
            await server.wire.stream.send_all(bytes(LARGEST_FRAME))
            self.sent += LARGEST_FRAME

    async def _second(self, server: Speaker) -> None:
        assert isinstance(server, Http2)
        speaks, answered, large = server.frames, set[int](), 0
        while True:
            await speaks.frame()
            for ident in [i for i, stream in speaks.streams.items() if stream.heads]:
                if ident in answered:
                    continue
                answered.add(ident)
                server.ident = ident
                if speaks.stream(ident).message.target == LARGE:
                    large = ident
                    await speaks.head(ident, [(b":status", b"200")])
                else:
                    await server.answer(200, body=b"small")
            while large and (room := speaks.room(large)):
                await speaks.data(large, bytes(room))
                self.sent += room


def stingy(link: Bridge) -> Frames:
    """The client, which from now on gives no window back."""
    assert isinstance(link.client, Http2)
    link.client.frames.generous = False
    return link.client.frames


async def goes_on(proxy: Proxy, small: Callable[[], Awaitable[None]]) -> None:
    """Other streams are served while one stands still, and memory stays where it is."""
    await small()
    before = proxy.resident_kib()
    for _ in range(OTHERS):
        await small()
    assert proxy.resident_kib() - before <= GROWTH_KIB


@versions
async def test_a_stream_without_window(tmp_path: Path, version: int) -> None:
    endless = Endless()
    async with bridge(tmp_path, (2, version), endless.story, settings={}) as link:
        client = stingy(link)
        # The connection's window is wide; only streams have none but their first.
        await client.send(WindowUpdateFrame(0, 16 * MIB))
        assert (await client.until_end(await client.open(get("/warm")))).status == 200
        before = link.proxy.resident_kib()
        stuck = await client.open(get(LARGE.decode()))
        await client.until_body(stuck, FIRST_WINDOW)

        async def small() -> None:
            answer = await client.until_end(await client.open(get("/small")))
            assert answer.body == b"small"

        await goes_on(link.proxy, small)
        assert len(client.stream(stuck).body) == 0
        assert link.proxy.resident_kib() - before <= GROWTH_KIB
        assert endless.sent < UNDER_WAY


@versions
async def test_a_connection_without_window(tmp_path: Path, version: int) -> None:
    endless = Endless()
    async with bridge(tmp_path, (2, version), endless.story, settings={}) as link:
        client = stingy(link)
        before = link.proxy.resident_kib()
        stuck = await client.open(get(LARGE.decode()))
        await client.until_body(stuck, FIRST_WINDOW)
        async with asking(await link.proxy.port(), 2) as other:

            async def small() -> None:
                await other.ask("GET /small")
                assert (await other.response())[1].body == b"small"

            await goes_on(link.proxy, small)
        assert link.proxy.resident_kib() - before <= GROWTH_KIB
        assert endless.sent < UNDER_WAY
        # One byte of window is one byte of body.
        for _ in range(10):
            await client.send(WindowUpdateFrame(0, 1), WindowUpdateFrame(stuck, 1))
            assert await client.until_body(stuck, 1) == b"\0"


@versions
async def test_an_upstream_that_takes_nothing(tmp_path: Path, version: int) -> None:
    async def story(server: Speaker) -> None:
        if isinstance(server, Http1):
            while (await server.wire.head()).target != LARGE:
                await server.answer(200, body=b"small")
            await trio.sleep_forever()
        assert isinstance(server, Http2)
        server.frames.generous = False
        while True:
            server.ident = await server.frames.opened()
            if server.frames.stream(server.ident).message.target != LARGE:
                await server.answer(200, body=b"small")

    async with bridge(tmp_path, (2, version), story, settings={}) as link:
        assert isinstance(link.client, Http2)
        client, sent = link.client.frames, 0
        assert (await client.until_end(await client.open(get("/warm")))).status == 200
        before = link.proxy.resident_kib()
        stuck = await client.open(get(LARGE.decode(), method="POST"), end=False)

        async def small() -> None:
            nonlocal sent
            while sent < GIB and (room := client.room(stuck)):
                await client.data(stuck, bytes(room))
                sent += room
            answer = await client.until_end(await client.open(get("/small")))
            assert answer.body == b"small"

        await goes_on(link.proxy, small)
        assert link.proxy.resident_kib() - before <= GROWTH_KIB
        assert FIRST_WINDOW <= sent < UNDER_WAY
