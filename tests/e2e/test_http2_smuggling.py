"""Where HTTP/1 and HTTP/2 meet, nothing is read as a message that nobody sent."""

from pathlib import Path

import pytest

from tests.support.bridge import BRIDGES, NAMES, Http2, Pair, Speaker, bridge
from tests.support.frames import PROTOCOL_ERROR, get
from tests.support.streams import Fields, Reset
from tests.support.upstream import GONE
from tests.support.wire import Message

EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
KEY = (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==")

clients = pytest.mark.parametrize("client", [1, 2], ids=["1to2", "2to2"])
bridges = pytest.mark.parametrize("versions", BRIDGES, ids=NAMES)


def http2(speaker: Speaker) -> Http2:
    """The end of a connection that has frames."""
    assert isinstance(speaker, Http2)
    return speaker


async def response(speaker: Speaker, to: str = "GET") -> Message | None:
    """The answer, or nothing where the stream or the connection was cut."""
    try:
        return (await speaker.response(to))[1]
    except (Reset, *GONE):
        return None


async def leftover(speaker: Speaker) -> bytes:
    """What comes until the end of the connection, whatever way."""
    try:
        while await speaker.wire.more():
            pass
    except GONE:
        pass
    return bytes(speaker.wire.buffer)


@clients
@pytest.mark.parametrize("status", [204, 304])
async def test_data_without_a_place_is_no_answer(tmp_path: Path, client: int, status: int) -> None:
    async def story(server: Speaker) -> None:
        speaks = http2(server)
        await server.request()
        await speaks.frames.head(speaks.ident, [(b":status", b"%d" % status)])
        await speaks.frames.data(speaks.ident, EVIL, end=True)
        await server.request()
        await server.answer(200, body=b"good")

    async with bridge(tmp_path, (client, 2), story) as link:
        await link.client.ask("GET /first")
        first = await response(link.client)
        assert first is None or (first.status, first.body) == (status, b"")
        if client == 1:
            assert b"evil" not in await leftover(link.client)
        else:
            await link.client.ask("GET /second")
            assert (await link.client.response())[1].body == b"good"


@clients
async def test_a_head_is_answered_without_a_body(tmp_path: Path, client: int) -> None:
    async def story(server: Speaker) -> None:
        speaks = http2(server)
        await server.request()
        await speaks.frames.head(speaks.ident, [(b":status", b"200")])
        await speaks.frames.data(speaks.ident, EVIL, end=True)
        await server.request()

    async with bridge(tmp_path, (client, 2), story) as link:
        await link.client.ask("HEAD /")
        answer = await response(link.client, "HEAD")
        assert answer is None or answer.body == b""
        if client == 1:
            assert b"evil" not in await leftover(link.client)


BAD_HEADS: dict[str, list[Fields]] = {
    "lines-in-a-value": [[(b":status", b"200"), (b"x-a", b"1\r\nx-evil: 2")]],
    "lines-in-a-name": [[(b":status", b"200"), (b"x-a\r\nx-evil", b"1")]],
    "no-status": [[(b"x-a", b"1")]],
    "two-statuses": [[(b":status", b"200"), (b":status", b"204")]],
    "two-lengths": [[(b":status", b"200"), (b"content-length", b"0"), (b"content-length", b"0")]],
    "transfer-encoding": [[(b":status", b"200"), (b"transfer-encoding", b"chunked")]],
    "a-switch": [[(b":status", b"101")]],
    "an-interim-that-ends": [[(b":status", b"103")]],
}


@clients
@pytest.mark.parametrize("heads", BAD_HEADS.values(), ids=BAD_HEADS.keys())
async def test_a_bad_head_is_502(tmp_path: Path, client: int, heads: list[Fields]) -> None:
    async def story(server: Speaker) -> None:
        speaks = http2(server)
        await server.request()
        for head in heads:
            await speaks.frames.head(speaks.ident, head, end=True)
        await server.request()

    async with bridge(tmp_path, (client, 2), story) as link:
        await link.client.ask("GET /")
        _, answer = await link.client.response()
        assert answer.status == 502
        assert answer.error


@pytest.mark.parametrize(
    ("method", "protocol"), [("GET", b"raw"), ("POST", b"websocket"), ("GET", b"websocket, raw")]
)
async def test_an_upgrade_that_http2_has_no_form_for_is_left_out(
    tmp_path: Path, method: str, protocol: bytes
) -> None:
    heard: list[Message] = []

    async def story(server: Speaker) -> None:
        heard.append(await server.request())
        await server.answer(200, body=b"plain")
        await server.request()

    async with bridge(tmp_path, (1, 2), story) as link:
        upgrade: list[Pair] = [(b"connection", b"upgrade"), (b"upgrade", protocol), KEY]
        await link.client.ask(f"{method} /", *upgrade)
        await link.client.wire.send(b"GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n")
        _, answer = await link.client.response()
        assert (answer.status, answer.body) == (200, b"plain")
        # FR-20: what follows may be the other protocol.
        assert await link.client.wire.ended()
    assert [(one.value(b":method"), one.target) for one in heard] == [(method.encode(), b"/")]


FORBIDDEN: list[Pair] = [
    (b"host", b"evil.test"),
    (b"content-length", b"5"),
    (b"authorization", b"Basic ZXZpbA=="),
    (b"cookie", b"a=b"),
    (b"set-cookie", b"a=b"),
    (b"x-forwarded-for", b"10.0.0.1"),
    (b"trailer", b"x-a"),
    (b"x_sum", b"1"),
]


@bridges
@pytest.mark.parametrize("way", ["up", "down"])
async def test_what_has_no_place_in_trailers_is_dropped(
    tmp_path: Path, versions: tuple[int, int], way: str
) -> None:
    trailers = [*FORBIDDEN, (b"x-sum", b"8")]
    heard: list[Message] = []

    async def story(server: Speaker) -> None:
        heard.append(await server.request())
        await server.answer(200, body=b"down", trailers=trailers if way == "down" else ())
        await server.request()

    async with bridge(tmp_path, versions, story) as link:
        await link.client.ask("POST /", body=b"up", trailers=trailers if way == "up" else ())
        _, answer = await link.client.response()
    got = answer if way == "down" else heard[0]
    assert [(name.lower(), value) for name, value in got.trailers] == [(b"x-sum", b"8")]
    assert not {name for name, _ in FORBIDDEN if name[:1] == b"x"} & {
        name.lower() for name, value in got.fields if value in {b"10.0.0.1", b"1"}
    }


BAD_TRAILERS: dict[str, Fields] = {
    "lines-in-a-value": [(b"x-a", b"1\r\n\r\nGET /evil HTTP/1.1\r\nHost: test\r\n\r\n")],
    "transfer-encoding": [(b"transfer-encoding", b"chunked")],
    "upper-case": [(b"X-A", b"1")],
}


@pytest.mark.parametrize("version", [1, 2], ids=["2to1", "2to2"])
@pytest.mark.parametrize("trailers", BAD_TRAILERS.values(), ids=BAD_TRAILERS.keys())
async def test_a_request_with_bad_trailers_never_looks_complete(
    tmp_path: Path, version: int, trailers: Fields
) -> None:
    heard: list[Message] = []

    async def story(server: Speaker) -> None:
        heard.append(await server.request())
        await server.answer(200)

    async with bridge(tmp_path, (2, version), story) as link:
        speaks = http2(link.client)
        ident = await speaks.frames.open(get("/", method="POST"), end=False)
        await speaks.frames.data(ident, b"body")
        await speaks.frames.head(ident, trailers, end=True)
        try:
            with pytest.raises(Reset) as reset:
                await speaks.frames.until_end(ident)
            assert reset.value.code == PROTOCOL_ERROR
        except GONE:
            assert speaks.frames.goaways[-1].error_code == PROTOCOL_ERROR
    assert heard == []


async def test_what_is_no_field_is_no_trailer(tmp_path: Path) -> None:
    # h2 takes both. A pseudo-field in trailers it leaves out (TR-3 would end the stream); `"` is
    # ours to drop.
    trailers: list[Pair] = [(b":path", b"/evil"), (b'x"a', b"1"), (b"x-sum", b"8")]
    heard: list[Message] = []

    async def story(server: Speaker) -> None:
        heard.append(await server.request())
        await server.answer(200)

    async with bridge(tmp_path, (2, 1), story) as link:
        await link.client.ask("POST /", body=b"a", trailers=trailers)
        assert (await link.client.response())[1].status == 200
    assert (heard[0].target, heard[0].trailers) == (b"/", [(b"x-sum", b"8")])


async def test_trailers_may_follow_a_length_of_nothing(tmp_path: Path) -> None:
    heard: list[Message] = []

    async def story(server: Speaker) -> None:
        heard.append(await server.request())
        await server.answer(200)

    async with bridge(tmp_path, (2, 2), story) as link:
        speaks = http2(link.client)
        head = get("/", (b"content-length", b"0"), method="POST")
        speaks.ident = await speaks.frames.open(head, end=False)
        await speaks.frames.head(speaks.ident, [(b"x-sum", b"8")], end=True)
        assert (await link.client.response())[1].status == 200
    assert heard[0].trailers == [(b"x-sum", b"8")]
