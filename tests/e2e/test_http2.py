"""HTTP/2 from a client: how it begins, streams beside each other, what a head may say."""

from pathlib import Path

import pytest
import trio

from tests.support import frames
from tests.support.bridge import Http2, Speaker, before, bridge, telling
from tests.support.certificates import Authority
from tests.support.frames import PREFACE, PROTOCOL_ERROR, Frames, get, speak
from tests.support.proxy import running, web
from tests.support.streams import Fields, Reset
from tests.support.upstream import answering, ok, upstream
from tests.support.wire import Ended, Message, Wire, connect

# Turns of a conversation in which each side waits for the other.
TURNS = 50


async def fetch(client: Frames, *more: tuple[bytes, bytes], target: str = "/") -> Message:
    """A GET on a stream of its own."""
    return await client.until_end(await client.open(get(target, *more)))


async def test_both_versions_on_one_port(tmp_path: Path) -> None:
    async with answering() as server, running(tmp_path, web(server.address)) as proxy:
        port = await proxy.port()
        async with speak(port) as client, connect(port) as wire:
            for _ in range(3):
                assert (await fetch(client)).body == b"a"
                assert (await wire.get()).body == b"a"


async def test_the_preface_may_come_byte_by_byte(tmp_path: Path) -> None:
    async with (
        answering() as server,
        running(tmp_path, web(server.address)) as proxy,
        connect(await proxy.port()) as wire,
    ):
        for at in range(len(PREFACE)):
            await wire.send(PREFACE[at : at + 1])
        client = Frames(wire, first_stream=1, their_stream=2)
        await client.begin(preface=b"")
        assert (await fetch(client)).body == b"a"


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (("h2", "http/1.1"), "h2"),
        (("http/1.1", "h2"), "h2"),
        (("h2",), "h2"),
        (("http/1.1",), "http/1.1"),
        ((), None),
    ],
)
async def test_alpn(
    tmp_path: Path, authority: Authority, offered: tuple[str, ...], chosen: str | None
) -> None:
    tls = authority.pair("localhost").document
    async with (
        answering() as server,
        running(tmp_path, web(server.address, tls=tls)) as proxy,
        connect(await proxy.port(), authority.client(None, *offered)) as wire,
    ):
        assert isinstance(wire.stream, trio.SSLStream)
        assert wire.stream.selected_alpn_protocol() == chosen
        if chosen == "h2":
            assert (await fetch(await frames.client(wire))).body == b"a"
        else:
            assert (await wire.get()).body == b"a"


async def test_a_listener_may_offer_http_1_alone(tmp_path: Path, authority: Authority) -> None:
    tls = {**authority.pair("localhost").document, "alpn": ["http/1.1"]}
    async with (
        answering() as server,
        running(tmp_path, web(server.address, tls=tls)) as proxy,
        connect(await proxy.port(), authority.client(None, "h2", "http/1.1")) as wire,
    ):
        assert isinstance(wire.stream, trio.SSLStream)
        assert wire.stream.selected_alpn_protocol() == "http/1.1"
        assert (await wire.get()).status == 200


@pytest.mark.parametrize("version", [1, 2])
async def test_answers_come_in_any_order(tmp_path: Path, version: int) -> None:
    count, arrived = 8, trio.Semaphore(0)
    free = [trio.Event() for _ in range(count)]

    async def one_by_one(server: Speaker) -> None:
        while True:
            number = int((await server.request()).target[1:])
            arrived.release()
            await free[number].wait()
            await server.answer(200, body=b"%d" % number)

    async def all_together(server: Speaker) -> None:
        assert isinstance(server, Http2)
        idents = {}
        for _ in range(count):
            number = int((await server.request()).target[1:])
            idents[number] = server.ident
            arrived.release()
        for number in reversed(range(count)):
            await free[number].wait()
            server.ident = idents[number]
            await server.answer(200, body=b"%d" % number)

    story = one_by_one if version == 1 else all_together
    async with (
        telling(story, version) as server,
        running(tmp_path, before(server.address, version)) as proxy,
        speak(await proxy.port()) as client,
    ):
        idents = [await client.open(get(f"/{number}")) for number in range(count)]
        for _ in idents:
            await arrived.acquire()
        for number in reversed(range(count)):
            free[number].set()
            message = await client.until_end(idents[number])
            assert message.body == b"%d" % number
    assert server.connections == (count if version == 1 else 1)


@pytest.mark.parametrize("version", [1, 2])
async def test_uploads_beside_each_other(tmp_path: Path, version: int) -> None:
    heard: list[bytes] = []

    async def story(server: Speaker) -> None:
        while True:
            heard.append((await server.request()).body)
            await server.answer(200)

    async with bridge(tmp_path, (2, version), story) as link:
        assert isinstance(link.client, Http2)
        client = link.client.frames
        idents = [await client.open(get(method="POST"), end=False) for _ in range(3)]
        for turn in range(20):
            for ident in idents:
                await client.data(ident, b"%d" % (ident % 10) * 3000, end=turn == 19)
        assert [(await client.until_end(ident)).status for ident in idents] == [200] * 3
    assert sorted(heard) == [b"%d" % ident * 60_000 for ident in idents]


async def test_each_side_may_wait_for_the_other(tmp_path: Path) -> None:
    async def story(server: Speaker) -> None:
        assert isinstance(server, Http2)
        ident = await server.frames.opened()
        await server.frames.head(ident, [(b":status", b"200")])
        for _ in range(TURNS):
            await server.frames.data(ident, (await server.frames.until_body(ident, 4)).upper())
        await server.frames.until_end(ident)
        await server.frames.head(ident, [(b"x-turns", b"%d" % TURNS)], end=True)
        await server.wire.rest()

    async with bridge(tmp_path, (2, 2), story) as link:
        assert isinstance(link.client, Http2)
        client = link.client.frames
        ident = await client.open(get(method="POST"), end=False)
        assert (await client.until_head(ident)).status == 200
        for _ in range(TURNS):
            await client.data(ident, b"ping")
            assert await client.until_body(ident, 4) == b"PING"
        await client.data(ident, b"", end=True)
        assert (await client.until_end(ident)).trailers == [(b"x-turns", b"%d" % TURNS)]


async def test_cookie_crumbs_are_joined_towards_http_1(tmp_path: Path) -> None:
    crumbs = [(b"cookie", b"a=1"), (b"x-between", b"1"), (b"cookie", b"b=2"), (b"cookie", b"c=3")]
    async with (
        answering() as server,
        running(tmp_path, web(server.address)) as proxy,
        speak(await proxy.port()) as client,
    ):
        assert (await fetch(client, *crumbs)).status == 200
    assert server.requests[0].values(b"cookie") == [b"a=1; b=2; c=3"]


async def test_host_alone_is_the_authority(tmp_path: Path) -> None:
    head = [pair for pair in get("/", (b"host", b"alone.test")) if pair[0] != b":authority"]
    async with (
        answering() as server,
        running(tmp_path, web(server.address)) as proxy,
        speak(await proxy.port()) as client,
    ):
        assert (await client.until_end(await client.open(head))).status == 200
    assert server.requests[0].values(b"host") == [b"alone.test"]


async def test_host_never_contradicts_the_authority(tmp_path: Path) -> None:
    async with (
        answering() as server,
        running(tmp_path, web(server.address)) as proxy,
        speak(await proxy.port()) as client,
    ):
        try:
            refused = (await fetch(client, (b"host", b"evil.test"))).status == 400
        except Reset as reset:
            refused = reset.code == PROTOCOL_ERROR
        assert (await fetch(client, (b"host", b"test"))).status == 200
    assert refused or len(server.requests) == 2
    assert {one.value(b"host") for one in server.requests} == {b"test"}


def changed(name: bytes, value: bytes) -> Fields:
    """A request's head with another value for one pseudo-field."""
    return [(known, value if known == name else old) for known, old in get()]


MALFORMED: dict[str, Fields] = {
    "lf-in-the-path": changed(b":path", b"/\r\nHost: evil"),
    "blank-in-the-path": changed(b":path", b"/a HTTP/1.1"),
    "path-without-slash": changed(b":path", b"a"),
    "lf-in-the-authority": changed(b":authority", b"test\r\nx-evil: 1"),
    "userinfo": changed(b":authority", b"user@test"),
    "odd-scheme": changed(b":scheme", b"http://x/?"),
    "transfer-encoding": get("/", (b"transfer-encoding", b"chunked"), method="POST"),
    "connection": get("/", (b"connection", b"x-a")),
    "upgrade": get("/", (b"upgrade", b"websocket")),
    "te-gzip": get("/", (b"te", b"gzip")),
    "two-lengths": get("/", (b"content-length", b"0"), (b"content-length", b"1")),
    "a-length-and-no-body": get("/", (b"content-length", b"1")),
    "protocol-without-connect": get("/", (b":protocol", b"websocket")),
}


@pytest.mark.parametrize("head", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_head_ends_its_stream_alone(tmp_path: Path, head: Fields) -> None:
    async with (
        answering() as server,
        running(tmp_path, web(server.address)) as proxy,
        speak(await proxy.port()) as client,
    ):
        assert await refuses(client, head)
        assert (await fetch(client)).status == 200
    assert [one.target for one in server.requests] == [b"/"]


async def refuses(client: Frames, head: Fields) -> bool:
    """Whether a request with this head is refused: 400, or its stream reset."""
    try:
        return (await client.until_end(await client.open(head))).status == 400
    except Reset as reset:
        return reset.code == PROTOCOL_ERROR


# What can't be a field at all may cost the connection: a stream error may be treated as one of the
# connection (RFC 9113 §5.4).
NO_FIELDS: dict[str, Fields] = {
    "cr-lf-in-a-value": get("/", (b"x-a", b"1\r\nx-evil: 2")),
    "lf-in-a-value": get("/", (b"x-a", b"1\n2")),
    "nul-in-a-value": get("/", (b"x-a", b"1\x002")),
    "lf-in-a-name": get("/", (b"x-a\nx-b", b"1")),
    "colon-in-a-name": get("/", (b"x-a:b", b"1")),
    "blank-in-a-name": get("/", (b"x-a ", b"1")),
    "empty-name": get("/", (b"", b"1")),
    "blank-in-the-method": changed(b":method", b"GET / HTTP/1.1"),
}


@pytest.mark.parametrize("head", NO_FIELDS.values(), ids=NO_FIELDS.keys())
async def test_what_is_no_field_is_never_forwarded(tmp_path: Path, head: Fields) -> None:
    async with answering() as server, running(tmp_path, web(server.address)) as proxy:
        async with speak(await proxy.port()) as client:
            try:
                assert await refuses(client, head)
            except Ended:
                assert [frame.error_code for frame in client.goaways] == [PROTOCOL_ERROR]
        async with speak(await proxy.port()) as client:
            assert (await fetch(client)).status == 200
    assert [one.target for one in server.requests] == [b"/"]


@pytest.mark.parametrize("sent", [b"short", b"much too long"])
async def test_a_body_of_another_length_never_looks_complete(tmp_path: Path, sent: bytes) -> None:
    complete: list[Message] = []

    async def script(wire: Wire) -> None:
        complete.append(await wire.request())
        await wire.send(ok())

    async with (
        upstream(script) as server,
        running(tmp_path, web(server.address)) as proxy,
        speak(await proxy.port()) as client,
    ):
        length = (b"content-length", b"10")
        ident = await client.open(get("/", length, method="POST"), end=False)
        await client.data(ident, sent, end=True)
        with pytest.raises(Reset) as reset:
            await client.until_end(ident)
        assert reset.value.code == PROTOCOL_ERROR
    assert complete == []
