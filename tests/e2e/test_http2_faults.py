"""HTTP/2 upstreams that leave or refuse, clients that give up: what is sent again, what never."""

from pathlib import Path

import pytest
import trio
from hyperframe.frame import GoAwayFrame, PingFrame

from tests.support.bridge import (
    BRIDGES,
    NAMES,
    Http1,
    Http2,
    Speaker,
    asking,
    before,
    bridge,
    telling,
)
from tests.support.frames import CANCEL, INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM, get, speak
from tests.support.proxy import running
from tests.support.streams import Reset
from tests.support.wire import Ended

DEADLINE = 10.0
# More than the attempts that anybody makes.
ATTEMPTS_MAX = 4

clients = pytest.mark.parametrize("client", [1, 2])
both = pytest.mark.parametrize("version", [1, 2])


class Leaving:
    """A server that answers a first request, takes three more on the same connection, and then
    sends a GOAWAY: it answers only the first few of them."""

    def __init__(self, processed: int) -> None:
        """So many of the three are processed."""
        self.processed = processed
        self.connections = 0
        self.heard: list[bytes] = []

    async def story(self, server: Speaker) -> None:
        """Serve one connection."""
        assert isinstance(server, Http2)
        self.connections += 1
        if self.connections == 1:
            await self._leave(server)
            return
        while True:
            self.heard.append((await server.request()).target)
            await server.answer(200, body=b"second")

    async def _leave(self, server: Http2) -> None:
        await server.request()
        await server.answer(200, body=b"warm")
        idents = [await server.frames.opened() for _ in range(3)]
        last = idents[self.processed - 1]
        await server.frames.send(GoAwayFrame(0, last_stream_id=last, error_code=NO_ERROR))
        for server.ident in idents[: self.processed]:
            await server.answer(200, body=b"first")


async def test_streams_beyond_a_goaway_are_sent_again(tmp_path: Path) -> None:
    leaving = Leaving(processed=1)
    async with (
        telling(leaving.story, 2) as server,
        running(tmp_path, before(server.address, 2)) as proxy,
        speak(await proxy.port()) as client,
    ):
        assert (await client.until_end(await client.open(get("/warm")))).status == 200
        idents = [await client.open(get(f"/{n}", method="POST")) for n in range(3)]
        answers = [await client.until_end(ident) for ident in idents]
    assert [answer.status for answer in answers] == [200] * 3
    assert sorted(answer.body for answer in answers) == [b"first", b"second", b"second"]
    assert len(leaving.heard) == 2
    assert len(set(leaving.heard)) == 2


async def test_a_connection_that_goes_away_is_not_used_again(tmp_path: Path) -> None:
    leaving = Leaving(processed=3)
    async with (
        telling(leaving.story, 2) as server,
        running(tmp_path, before(server.address, 2)) as proxy,
        speak(await proxy.port()) as client,
    ):
        assert (await client.until_end(await client.open(get("/warm")))).status == 200
        idents = [await client.open(get(f"/{n}")) for n in range(3)]
        bodies = [(await client.until_end(ident)).body for ident in idents]
        bodies.append((await client.until_end(await client.open(get("/after")))).body)
    assert bodies == [b"first"] * 3 + [b"second"]
    assert leaving.heard == [b"/after"]


@clients
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_may_have_been_processed_is_never_sent_again(
    tmp_path: Path, client: int, method: str
) -> None:
    heard = 0

    async def story(server: Speaker) -> None:
        nonlocal heard
        assert isinstance(server, Http2)
        await server.request()
        heard += 1
        await server.frames.send(GoAwayFrame(0, last_stream_id=server.ident, error_code=NO_ERROR))

    async with bridge(tmp_path, (client, 2), story) as link:
        await link.client.ask(f"{method} /")
        _, answer = await link.client.response()
    assert (answer.status, answer.error) == (502, b"upstream_reset")
    assert heard == 1


@clients
async def test_a_refused_stream_is_sent_again(tmp_path: Path, client: int) -> None:
    heard = 0

    async def story(server: Speaker) -> None:
        nonlocal heard
        assert isinstance(server, Http2)
        while True:
            await server.request()
            heard += 1
            if heard % 2:
                await server.frames.reset(server.ident, REFUSED_STREAM)
            else:
                await server.answer(200, body=b"%d" % heard)

    async with bridge(tmp_path, (client, 2), story) as link:
        for number, method in enumerate(("GET", "POST", "DELETE")):
            await link.client.ask(f"{method} /")
            _, answer = await link.client.response()
            assert (answer.status, answer.body) == (200, b"%d" % (2 * number + 2))
    assert heard == 6


@clients
async def test_who_refuses_for_ever_is_not_asked_for_ever(tmp_path: Path, client: int) -> None:
    heard = 0

    async def story(server: Speaker) -> None:
        nonlocal heard
        assert isinstance(server, Http2)
        while True:
            await server.request()
            heard += 1
            await server.frames.reset(server.ident, REFUSED_STREAM)

    async with bridge(tmp_path, (client, 2), story) as link:
        await link.client.ask("GET /")
        _, answer = await link.client.response()
    assert answer.status in {502, 503}
    assert answer.error
    assert heard <= ATTEMPTS_MAX


@clients
@pytest.mark.parametrize("code", [INTERNAL_ERROR, CANCEL])
async def test_a_reset_before_the_answer_is_502(tmp_path: Path, client: int, code: int) -> None:
    heard = 0

    async def story(server: Speaker) -> None:
        nonlocal heard
        assert isinstance(server, Http2)
        while True:
            await server.request()
            heard += 1
            await server.frames.reset(server.ident, code)

    async with bridge(tmp_path, (client, 2), story) as link:
        # An HTTP/1 connection ends with an answer of this kind.
        for number in range(1, 4 if client == 2 else 2):
            await link.client.ask("GET /")
            _, answer = await link.client.response()
            assert (answer.status, answer.error) == (502, b"upstream_reset")
            assert heard == number
        assert link.upstream.connections == 1


@clients
@pytest.mark.parametrize("known", [True, False], ids=["length", "no-length"])
async def test_an_answer_cut_by_a_reset_stays_cut(tmp_path: Path, client: int, known: bool) -> None:
    async def story(server: Speaker) -> None:
        assert isinstance(server, Http2)
        await server.request()
        length = [(b"content-length", b"100")] if known else []
        await server.frames.head(server.ident, [(b":status", b"200"), *length])
        await server.frames.data(server.ident, b"half")
        await server.frames.reset(server.ident, INTERNAL_ERROR)
        await server.wire.rest()

    async with bridge(tmp_path, (client, 2), story) as link:
        await link.client.ask("GET /")
        expected = Reset if client == 2 else (Ended, trio.BrokenResourceError)
        with pytest.raises(expected):
            await link.client.response()


async def silent(server: Speaker) -> None:
    """Hear a request and say nothing."""
    await server.request()
    await server.wire.rest()


@pytest.mark.parametrize("versions", BRIDGES, ids=NAMES)
@pytest.mark.parametrize("body", [None, b"whole"])
async def test_an_answer_that_does_not_begin_in_time_is_504(
    tmp_path: Path, versions: tuple[int, int], body: bytes | None
) -> None:
    routes = [{"to": "web", "response_header_timeout": "100ms"}]
    async with bridge(tmp_path, versions, silent, routes=routes) as link:
        await link.client.ask("POST /", body=body)
        _, answer = await link.client.response()
    assert (answer.status, answer.error) == (504, b"response_header_timeout")


async def test_a_call_whose_answer_does_not_begin_in_time(tmp_path: Path) -> None:
    routes = [{"to": "web", "response_header_timeout": "100ms"}]
    async with bridge(tmp_path, (2, 2), silent, routes=routes) as link:
        await link.client.ask("POST /", (b"content-type", b"application/grpc"), body=bytes(5))
        _, answer = await link.client.response()
    # DEADLINE_EXCEEDED.
    assert (answer.status, answer.value(b"grpc-status")) == (200, b"4")


class Waiting:
    """A server that sees a request begin, and then how it ends."""

    def __init__(self, phase: str) -> None:
        """Stop in this phase."""
        self.phase = phase
        self.arrived = trio.Event()
        self.given_up = trio.Event()
        self.code: int | None = None

    async def story(self, server: Speaker) -> None:
        """Serve one connection."""
        await (self._first(server) if isinstance(server, Http1) else self._second(server))

    async def _first(self, server: Http1) -> None:
        if (await server.wire.head()).target == b"/next":
            await server.answer(200)
            return
        if self.phase == "downloading":
            await server.wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        self.arrived.set()
        try:
            await server.wire.rest()
        finally:
            self.given_up.set()

    async def _second(self, server: Speaker) -> None:
        assert isinstance(server, Http2)
        ident = await server.frames.opened()
        if self.phase == "downloading":
            await server.frames.head(ident, [(b":status", b"200")])
            await server.frames.data(ident, b"half")
        self.arrived.set()
        while (code := server.frames.stream(ident).reset) is None:
            await server.frames.frame()
        self.code = code
        self.given_up.set()
        await server.request()
        await server.answer(200)
        await server.wire.rest()


@both
@pytest.mark.parametrize("phase", ["waiting", "uploading", "downloading"])
async def test_a_stream_that_the_client_resets_ends_upstream(
    tmp_path: Path, version: int, phase: str
) -> None:
    waiting = Waiting(phase)
    async with bridge(tmp_path, (2, version), waiting.story) as link:
        assert isinstance(link.client, Http2)
        client = link.client.frames
        ident = await client.open(get(method="POST"), end=phase != "uploading")
        if phase == "uploading":
            await client.data(ident, b"half")
        if phase == "downloading":
            await client.until_body(ident, 4)
        await waiting.arrived.wait()
        await client.reset(ident, CANCEL)
        with trio.fail_after(DEADLINE):
            await waiting.given_up.wait()
        assert (await client.until_end(await client.open(get("/next")))).status == 200
        # An HTTP/2 connection serves on; an HTTP/1 one is closed, whatever was on it.
        assert link.upstream.connections == (2 if version == 1 else 1)
    assert waiting.code == (None if version == 1 else CANCEL)


async def half_of(client: Speaker) -> None:
    """Read what came of the answer: a client that reads is one that had it."""
    if isinstance(client, Http2):
        await client.frames.until_body(client.ident, len(b"half"))
    else:
        await client.wire.until(b"half")


@clients
@pytest.mark.parametrize("phase", ["waiting", "uploading", "downloading"])
@pytest.mark.parametrize("manner", ["reset", "close"])
async def test_a_client_that_goes_away_resets_its_stream(
    tmp_path: Path, client: int, phase: str, manner: str
) -> None:
    waiting = Waiting(phase)
    async with (
        telling(waiting.story, 2) as server,
        # One: whoever comes next meets the same upstream connection.
        running(tmp_path, before(server.address, 2), "--workers", "1") as proxy,
    ):
        port = await proxy.port()
        async with asking(port, client) as leaving:
            if phase != "uploading":
                await leaving.ask("GET /")
            elif isinstance(leaving, Http2):
                await leaving.frames.open(get(method="PUT"), end=False)
            else:
                await leaving.wire.send(b"PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\n")
            await waiting.arrived.wait()
            if phase == "downloading":
                await half_of(leaving)
            if manner == "reset":
                leaving.wire.reset()
        with trio.fail_after(DEADLINE):
            await waiting.given_up.wait()
        async with asking(port, client) as staying:
            await staying.ask("GET /next")
            assert (await staying.response())[1].status == 200
        assert server.connections == 1


@pytest.mark.parametrize("noise", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 64, b""])
async def test_an_upstream_that_speaks_no_http2(tmp_path: Path, noise: bytes) -> None:
    async def story(server: Speaker) -> None:
        await server.wire.more()
        await server.wire.send(noise)

    async with (
        telling(story, 1) as server,
        running(tmp_path, before(server.address, 2)) as proxy,
        asking(await proxy.port(), 2) as client,
    ):
        await client.ask("GET /")
        _, answer = await client.response()
    assert answer.status in {502, 503}
    assert answer.error


class Silent:
    """A server that answers PINGs for a while and then nothing, its connection open."""

    def __init__(self, pings: int) -> None:
        """Answer so many."""
        self.pings = pings

    async def story(self, server: Speaker) -> None:
        """Serve one connection."""
        assert isinstance(server, Http2)
        if (await server.request()).target == b"/alive":
            await server.answer(200)
            await server.request()
        while self.pings:
            self.pings -= isinstance(await server.frames.frame(), PingFrame)
        server.frames.polite = False
        await server.wire.rest()


ASKING = {"keepalive_interval": "50ms", "keepalive_timeout": "500ms"}


@clients
async def test_an_upstream_that_answers_no_ping_is_given_up(tmp_path: Path, client: int) -> None:
    async with telling(Silent(pings=3).story, 2) as server:
        document = before(server.address, 2)
        document["clusters"][0]["http2"] = ASKING
        async with running(tmp_path, document) as proxy, asking(await proxy.port(), client) as one:
            await one.ask("GET /alive")
            assert (await one.response())[1].status == 200
            await one.ask("GET /silent")
            # Not while it answers, and long before the stream's idle time.
            with trio.fail_after(DEADLINE):
                _, answer = await one.response()
            assert (answer.status, answer.error) == (502, b"upstream_reset")
    assert server.connections == 1


async def test_a_client_that_answers_no_ping_is_given_up(tmp_path: Path) -> None:
    waiting = Waiting("waiting")
    async with bridge(tmp_path, (2, 2), waiting.story, http2=ASKING) as link:
        assert isinstance(link.client, Http2)
        link.client.frames.polite = False
        await link.client.frames.open(get())
        with trio.fail_after(DEADLINE):
            await waiting.given_up.wait()
    assert waiting.code == CANCEL


@clients
async def test_a_stream_refused_after_its_body_began_is_502(tmp_path: Path, client: int) -> None:
    heard = 0

    async def story(server: Speaker) -> None:
        nonlocal heard
        assert isinstance(server, Http2)
        while True:
            ident = await server.frames.opened()
            heard += 1
            await server.frames.until_body(ident, 4)
            await server.frames.reset(ident, REFUSED_STREAM)

    async with bridge(tmp_path, (client, 2), story) as link:
        if isinstance(link.client, Http2):
            link.client.ident = await link.client.frames.open(get(method="POST"), end=False)
            await link.client.frames.data(link.client.ident, b"half")
        elif isinstance(link.client, Http1):
            head = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\n"
            await link.client.wire.send(head, b"half")
        _, answer = await link.client.response()
        assert (answer.status, answer.error) == (502, b"upstream_reset")
        replies = "meshcore_listener_local_replies_total"
        assert await link.proxy.metric(replies, error="upstream_reset") == 1
    assert heard == 1
