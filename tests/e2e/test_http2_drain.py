"""HTTP/2 connections that end in order: GOAWAY twice, and what runs comes to its end."""

import signal
from pathlib import Path

import pytest
import trio

from tests.support.bridge import Http2, Speaker, before, bridge, telling
from tests.support.frames import NO_ERROR, Frames, get, speak
from tests.support.proxy import Proxy, running

# RFC 9113 §6.8: a first GOAWAY that still lets every stream in.
EVERY_STREAM = (1 << 31) - 1
DEADLINE = 20.0
AGE = "300ms"

versions = pytest.mark.parametrize("version", [1, 2])


class Held:
    """A server that holds every answer to `/held` until it is let go."""

    def __init__(self) -> None:
        """Hold."""
        self.arrived = trio.Event()
        self.go = trio.Event()

    async def story(self, server: Speaker) -> None:
        """Serve one connection."""
        while True:
            if isinstance(server, Http2):
                server.ident = await server.frames.opened()
                target = server.frames.stream(server.ident).message.target
            else:
                target = (await server.request()).target
            if target == b"/held":
                self.arrived.set()
                await self.go.wait()
            await server.answer(200, body=b"done")


async def says_goodbye(client: Frames, held: Held, ident: int) -> None:
    """The first GOAWAY lets a late stream in; the final one names it; both are served."""
    first = await client.goaway()
    assert (first.last_stream_id, first.error_code) == (EVERY_STREAM, NO_ERROR)
    # Sent before the PING that follows is answered, so it must still be served.
    late = await client.open(get("/held"))
    last = await client.goaway()
    assert (last.last_stream_id, last.error_code) == (late, NO_ERROR)
    held.go.set()
    for one in (ident, late):
        answer = await client.until_end(one)
        assert (answer.status, answer.body) == (200, b"done")
    await client.rest()


async def ends_well(proxy: Proxy) -> None:
    """The proxy ends by itself, in order."""
    with trio.fail_after(DEADLINE):
        assert await proxy.process.wait() == 0, proxy.words


@versions
async def test_a_drain_finishes_the_streams_that_run(tmp_path: Path, version: int) -> None:
    held = Held()
    async with (
        telling(held.story, version) as server,
        running(tmp_path, before(server.address, version), stop=False) as proxy,
    ):
        async with speak(await proxy.port()) as client:
            ident = await client.open(get("/held"))
            await held.arrived.wait()
            proxy.process.send_signal(signal.SIGTERM)
            await says_goodbye(client, held, ident)
        await ends_well(proxy)


async def test_a_drain_ends_idle_connections(tmp_path: Path) -> None:
    held = Held()
    async with telling(held.story, 1) as server:
        document = before(server.address, 1)
        document["drain"] = {"idle_grace": "100ms"}
        async with running(tmp_path, document, stop=False) as proxy:
            async with speak(await proxy.port()) as client:
                assert (await client.until_end(await client.open(get("/one")))).status == 200
                proxy.process.send_signal(signal.SIGTERM)
                assert (await client.goaway()).error_code == NO_ERROR
                await client.rest()
            await ends_well(proxy)


async def test_a_drain_cuts_what_outlasts_it(tmp_path: Path) -> None:
    held = Held()
    async with telling(held.story, 2) as server:
        document = before(server.address, 2)
        document["drain"] = {"timeout": "500ms", "idle_grace": "100ms"}
        async with running(tmp_path, document, stop=False) as proxy:
            async with speak(await proxy.port()) as client:
                ident = await client.open(get("/held"))
                await held.arrived.wait()
                proxy.process.send_signal(signal.SIGTERM)
                await client.rest()
                assert not client.stream(ident).ended
            await ends_well(proxy)


async def test_a_connection_of_age_is_told_to_end(tmp_path: Path) -> None:
    held, timeouts = Held(), {"max_connection_age": AGE}
    async with bridge(tmp_path, (2, 2), held.story, timeouts=timeouts) as link:
        assert isinstance(link.client, Http2)
        client = link.client.frames
        ident = await client.open(get("/held"))
        await held.arrived.wait()
        await says_goodbye(client, held, ident)
        async with speak(await link.proxy.port()) as fresh:
            assert (await fresh.until_end(await fresh.open(get("/one")))).status == 200


async def test_an_http_1_connection_of_age_is_told_too(tmp_path: Path) -> None:
    held, timeouts = Held(), {"max_connection_age": AGE}
    async with bridge(tmp_path, (1, 2), held.story, timeouts=timeouts) as link:
        with trio.fail_after(DEADLINE):
            while True:
                await link.client.ask("GET /one")
                _, answer = await link.client.response()
                assert answer.status == 200
                if answer.value(b"connection") == b"close":
                    break
        assert await link.client.wire.ended()
