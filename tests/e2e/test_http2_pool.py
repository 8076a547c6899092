"""Upstream connections that requests share: their places, and how they are renewed."""

from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest
import trio
from hyperframe.frame import SettingsFrame

from tests.support import frames
from tests.support.bridge import Http1, Http2, Speaker, asking, before, telling
from tests.support.certificates import Authority
from tests.support.frames import get, speak
from tests.support.proxy import Document, running, web
from tests.support.scale import scaled
from tests.support.upstream import GONE, ok, upstream
from tests.support.wire import Wire, connect

PATIENCE = 10.0
REST = 200
FIRST = 1_000

both = pytest.mark.parametrize("version", [1, 2])


def single(document: Document) -> Document:
    """The same, with one connection to the endpoint and one stream on it."""
    document["clusters"][0] |= {
        "pool": {"max_connections": 1},
        "http2": {"max_concurrent_streams": 1},
    }
    return document


class Split:
    """A server whose answer to `/split` has a last part that waits to be sent."""

    def __init__(self) -> None:
        """Hold it."""
        self.go = trio.Event()

    async def story(self, server: Speaker) -> None:
        """Serve one connection."""
        while True:
            if (await server.request()).target == b"/split":
                await self._split(server)
            else:
                await server.answer(200, body=b"other")

    async def _split(self, server: Speaker) -> None:
        first, last = b"f" * FIRST, b"l" * REST
        length = (b"content-length", b"%d" % (FIRST + REST))
        if isinstance(server, Http2):
            await server.frames.head(server.ident, [(b":status", b"200"), length])
            await server.frames.data(server.ident, first)
            await self.go.wait()
            await server.frames.data(server.ident, last, end=True)
        elif isinstance(server, Http1):
            await server.wire.send(b"HTTP/1.1 200 OK\r\n%s: %s\r\n\r\n" % length, first)
            await self.go.wait()
            await server.wire.send(last)


@both
async def test_a_place_is_free_before_the_last_byte_is_seen(tmp_path: Path, version: int) -> None:
    split = Split()
    narrow = {SettingsFrame.INITIAL_WINDOW_SIZE: FIRST}
    async with (
        telling(split.story, version) as server,
        running(tmp_path, single(before(server.address, version)), "--workers", "1") as proxy,
        speak(await proxy.port(), settings=narrow) as slow,
        asking(await proxy.port(), 1) as other,
    ):
        slow.generous = False
        ident = await slow.open(get("/split"))
        assert len(await slow.until_body(ident, FIRST)) == FIRST
        # Now the client takes nothing more, and the last byte can't be seen.
        await other.ask("GET /")
        assert (await other.response())[1].error == b"upstream_overflow"
        split.go.set()
        with trio.fail_after(PATIENCE):
            while True:
                async with asking(await proxy.port(), 1) as third:
                    await third.ask("GET /")
                    answer = (await third.response())[1]
                    if answer.status == 200:
                        break


async def serve(server: Speaker) -> None:
    """Answer everything."""
    while True:
        await server.request()
        await server.answer(200, body=b"x")


@pytest.mark.parametrize("versions", [(1, 2), (2, 1), (2, 2)])
async def test_a_connection_without_requests_turns_nobody_away(
    tmp_path: Path, versions: tuple[int, int]
) -> None:
    client, version = versions
    async with (
        telling(serve, version) as server,
        running(tmp_path, single(before(server.address, version)), "--workers", "2") as proxy,
    ):
        port = await proxy.port()
        for _ in range(scaled(2_000, 100)):
            async with asking(port, client) as one:
                await one.ask("GET /")
                _, answer = await one.response()
                assert (answer.status, answer.error) == (200, None)
        # Both workers were at work, or nothing was shown.
        assert server.connections > 1


async def test_an_endpoint_that_chose_http1_turns_nobody_away(
    tmp_path: Path, authority: Authority
) -> None:
    tls = authority.server(authority.pair("a.test"))
    tls.set_alpn_protocols(["http/1.1"])

    async def script(wire: Wire) -> None:
        while True:
            await wire.request()
            await wire.send(ok())

    async with upstream(script, tls) as server:
        document = single(web(server.address))
        names = {"ca": str(authority.roots), "server_name": "a.test"}
        document["clusters"][0] |= {"protocol": "auto", "tls": names}
        async with running(tmp_path, document, "--workers", "2") as proxy:
            port = await proxy.port()
            for _ in range(scaled(2_000, 100)):
                async with connect(port) as wire:
                    answer = await wire.get("/")
                    assert (answer.status, answer.error) == (200, None)
            assert server.connections > 1


class Aging:
    """A server whose connections grow old; all but the first answer only once they may."""

    def __init__(self) -> None:
        """Hold what follows the first connection."""
        self.connections = 0
        self.held = 0
        self.dialled = trio.Event()
        self.go = trio.Event()
        self.finish = trio.Event()
        self.first_ended = trio.Event()
        # Two tasks write on a connection.
        self.writes = trio.Lock()

    async def script(self, wire: Wire) -> None:
        """Serve one connection; `/held` gets its answer's end last."""
        self.connections += 1
        number = self.connections
        if number > 1:
            self.dialled.set()
            await self.go.wait()
        server = Http2(await frames.server(wire))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._finish, server)
            with suppress(*GONE):
                await self._serve(server, number)
            nursery.cancel_scope.cancel()
        if number == 1:
            self.first_ended.set()

    async def _serve(self, server: Http2, number: int) -> None:
        while True:
            request = await server.request()
            async with self.writes:
                if request.target == b"/held":
                    await server.frames.head(server.ident, [(b":status", b"200")])
                    self.held = server.ident
                else:
                    await server.answer(200, body=b"%d" % number)

    async def _finish(self, server: Http2) -> None:
        await self.finish.wait()
        async with self.writes:
            await server.frames.data(self.held, b"whole", end=True)


async def test_an_old_connection_serves_until_its_successor_does(tmp_path: Path) -> None:
    aging = Aging()
    async with upstream(aging.script) as server:
        document = before(server.address, 2)
        document["clusters"][0]["pool"] = {"max_age": "300ms"}
        async with (
            running(tmp_path, document, "--workers", "1") as proxy,
            speak(await proxy.port()) as client,
            asking(await proxy.port(), 1) as other,
        ):
            held = await client.open(get("/held"))
            await client.until_head(held)

            async def answered_by() -> bytes:
                await other.ask("GET /")
                _, answer = await other.response()
                assert answer.status == 200
                return answer.body

            with trio.fail_after(PATIENCE):
                while not aging.dialled.is_set():
                    assert await answered_by() == b"1"
                # Its successor doesn't serve yet.
                for _ in range(100):
                    assert await answered_by() == b"1"
                aging.go.set()
                while await answered_by() == b"1":
                    pass
            # No stream is broken for it, and the connection ends with its last.
            assert not aging.first_ended.is_set()
            aging.finish.set()
            assert (await client.until_end(held)).body == b"whole"
            with trio.fail_after(PATIENCE):
                await aging.first_ended.wait()
            assert await proxy.metric("meshcore_cluster_overflow_total") == 0


async def test_at_its_limit_an_old_connection_serves_on(tmp_path: Path) -> None:
    async with telling(serve, 2) as server:
        document = before(server.address, 2)
        document["clusters"][0]["pool"] = {"max_age": "1ms", "max_connections": 1}
        async with (
            running(tmp_path, document, "--workers", "1") as proxy,
            speak(await proxy.port()) as client,
        ):
            with trio.move_on_after(3):
                while True:
                    idents = [await client.open(get()) for _ in range(10)]
                    answers = [await client.until_end(ident) for ident in idents]
                    assert {(answer.status, answer.error) for answer in answers} == {(200, None)}
            assert await proxy.metric("meshcore_cluster_overflow_total") == 0


async def test_requests_move_on_behind_one_address(tmp_path: Path) -> None:
    async def named(name: int) -> str:
        async def story(server: Speaker) -> None:
            while True:
                await server.request()
                await server.answer(200, body=b"%d" % name)

        return (await stack.enter_async_context(telling(story, 2))).address

    async with AsyncExitStack() as stack:
        shared = f"unix:{tmp_path}/shared.sock"
        document = before(shared, 2)
        document["clusters"][0]["pool"] = {"max_age": "100ms"}
        # What balances connections, as a service's address does.
        document["listeners"].append(
            {"name": "shared", "address": shared, "protocol": "tcp", "to": "behind"}
        )
        behind = [await named(name) for name in range(3)]
        document["clusters"].append({"name": "behind", "endpoints": behind})
        proxy = await stack.enter_async_context(running(tmp_path, document, "--workers", "1"))
        client = await stack.enter_async_context(asking(await proxy.port(), 2))
        seen: set[bytes] = set()
        with trio.fail_after(2 * PATIENCE):
            while len(seen) < len(behind):
                await client.ask("GET /")
                _, answer = await client.response()
                assert answer.status == 200
                seen.add(answer.body)
