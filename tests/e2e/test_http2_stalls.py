"""HTTP/2 streams whose receiver gives no window: who stands still is let go, who is slow is not."""

from itertools import pairwise
from pathlib import Path

import pytest
import trio
from hyperframe.frame import SettingsFrame, WindowUpdateFrame

from tests.support.backend import backends
from tests.support.bridge import Http1, Http2, Speaker, asking, before, bridge, telling
from tests.support.frames import Frames, get, speak
from tests.support.proxy import running
from tests.support.streams import Reset
from tests.support.upstream import GONE

MIB = 1 << 20
# What the listener calls a stall here, and so many seconds.
STALL, STALL_SECONDS = {"window_stall": "500ms"}, 0.5
# What a receiver has to take in that time.
FLOOR = 16 * 1024
# More than an endpoint's first window, which is open until its SETTINGS are there; less than what
# our own let a client send then.
PRESSED = 96 * 1024
# Streams of one client.
MANY = 100
SHUT = {SettingsFrame.INITIAL_WINDOW_SIZE: 0}
SETTINGS_TIMEOUT = 4

versions = pytest.mark.parametrize("version", [1, 2])


async def reset(client: Frames, ident: int) -> None:
    """Read until a stream is reset."""
    with pytest.raises(Reset):
        await client.until_end(ident)


class Large:
    """A server whose answers are a mebibyte; `/quiet` waits until it is told to say a word."""

    def __init__(self) -> None:
        """Nothing said yet."""
        self.say = trio.Event()

    async def story(self, server: Speaker) -> None:
        """Serve one connection."""
        try:
            await (self._first(server) if isinstance(server, Http1) else self._second(server))
        except* GONE:
            pass

    async def _first(self, server: Http1) -> None:
        while True:
            if (await server.request()).target == b"/quiet":
                await server.wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
                await self.say.wait()
                await server.wire.send(b"word")
            else:
                await server.answer(200, body=bytes(MIB))

    async def _second(self, server: Speaker) -> None:
        assert isinstance(server, Http2)
        async with trio.open_nursery() as nursery:
            while True:
                ident = await server.frames.opened()
                await server.frames.head(ident, [(b":status", b"200")])
                if server.frames.stream(ident).message.target == b"/quiet":
                    nursery.start_soon(self._word, server.frames, ident)
                else:
                    await server.frames.data(ident, bytes(server.frames.room(ident)))

    async def _word(self, frames: Frames, ident: int) -> None:
        await self.say.wait()
        await frames.data(ident, b"word", end=True)


@versions
async def test_who_has_nothing_to_read_does_not_stall(tmp_path: Path, version: int) -> None:
    large = Large()
    async with bridge(tmp_path, (2, version), large.story, settings=SHUT, timeouts=STALL) as link:
        assert isinstance(link.client, Http2)
        client = link.client.frames
        quiet = await client.open(get("/quiet"))
        await client.until_head(quiet)
        stuck = await client.open(get("/large"))
        await reset(client, stuck)
        # It waited as long, without a window, and for the server alone.
        await client.send(WindowUpdateFrame(quiet, FLOOR))
        large.say.set()
        assert (await client.until_end(quiet)).body == b"word"


async def test_streams_without_window_are_reaped(tmp_path: Path) -> None:
    async with backends("A") as (server,):
        document = before(server.address, 1, timeouts=STALL)
        async with (
            running(tmp_path, document) as proxy,
            speak(await proxy.port(), settings=SHUT) as client,
        ):
            idents = [await client.open(get("/size/16777216")) for _ in range(MANY)]
            for ident in idents:
                await reset(client, ident)
            while await proxy.metric("meshcore_cluster_requests_active"):
                pass
            name = "meshcore_listener_local_replies_total"
            assert await proxy.metric(name, error="downstream_stalled") == MANY


async def test_a_window_of_crumbs_is_no_window(tmp_path: Path) -> None:
    """A hundred bytes of window, again and again, for less than the floor in all."""
    async with backends("A") as (server,):
        document = before(server.address, 1, timeouts=STALL)
        async with (
            running(tmp_path, document) as proxy,
            speak(await proxy.port(), settings=SHUT) as client,
        ):
            client.generous = False
            ident = await client.open(get("/size/1048576"))
            await client.until_head(ident)
            with pytest.raises(Reset):
                await crumbs(client, ident)


async def crumbs(client: Frames, ident: int) -> None:
    """Read a stream by a hundred bytes, twenty times in what the listener calls a stall."""
    while True:
        await client.send(WindowUpdateFrame(ident, 100))
        await client.until_body(ident, 100)
        await trio.sleep(STALL_SECONDS / 20)


async def test_a_slow_reader_has_its_time(tmp_path: Path) -> None:
    """Twice the floor in each such time, for several of them."""
    size, step = 8 * FLOOR, FLOOR
    async with backends("A") as (server,):
        document = before(server.address, 1, timeouts=STALL)
        async with (
            running(tmp_path, document) as proxy,
            speak(await proxy.port(), settings=SHUT) as client,
        ):
            client.generous = False
            ident = await client.open(get(f"/size/{size}"))
            await client.until_head(ident)
            for _ in pairwise(range(0, size + 1, step)):
                await client.send(WindowUpdateFrame(0, step), WindowUpdateFrame(ident, step))
                await client.until_body(ident, step)
                await trio.sleep(STALL_SECONDS / 2)
            await client.until_end(ident)


@pytest.mark.parametrize("client", [1, 2])
async def test_an_upstream_without_window_is_504(tmp_path: Path, client: int) -> None:
    async def story(server: Speaker) -> None:
        await server.wire.rest()

    async with (
        telling(story, 2, SHUT) as server,
        running(tmp_path, before(server.address, 2, timeouts=STALL)) as proxy,
        asking(await proxy.port(), client) as asker,
    ):
        if isinstance(asker, Http2):
            asker.ident = await asker.frames.open(get(method="POST"), end=False)
            await asker.frames.data(asker.ident, bytes(PRESSED))
        else:
            head = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % MIB
            await asker.wire.send(head, bytes(PRESSED))
        _, answer = await asker.response()
    assert (answer.status, answer.error) == (504, b"upstream_stalled")


async def test_who_never_acknowledges_settings_is_told_off(tmp_path: Path) -> None:
    async with backends("A") as (server,):
        document = before(server.address, 1, timeouts={"header": "300ms"})
        async with (
            running(tmp_path, document) as proxy,
            speak(await proxy.port()) as client,
        ):
            client.polite = False
            answer = await client.until_end(await client.open(get("/1k")))
            assert answer.status == 200
            assert (await client.goaway()).error_code == SETTINGS_TIMEOUT
            await client.rest()
