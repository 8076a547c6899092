"""gRPC-Web as bytes and frames: what an upstream is sent, and what becomes of answers that fail."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from tests.support.bridge import Http2, Pair, Speaker, asking, before, bridge, telling
from tests.support.frames import INTERNAL_ERROR
from tests.support.grpc_web import TRAILERS, as_text, fields, frame
from tests.support.proxy import running
from tests.support.wire import Ended, Message

Failure = Callable[[Http2], Awaitable[None]]

ON = {"grpc_web": True}
BINARY = (b"content-type", b"application/grpc-web+proto")
TEXT = (b"content-type", b"application/grpc-web-text+proto")
GRPC = (b"content-type", b"application/grpc")
OK = (b"grpc-status", b"0")
CALL = "POST /test.Echo/Echo"
UNAVAILABLE = "14"
WHOLE = len(frame(b"whole"))

versions = pytest.mark.parametrize("version", [1, 2])


@versions
@pytest.mark.parametrize("kind", [BINARY, TEXT], ids=["binary", "text"])
async def test_the_upstream_is_asked_in_grpc(tmp_path: Path, version: int, kind: Pair) -> None:
    heard: list[Message] = []

    async def story(server: Speaker) -> None:
        heard.append(await server.request())
        head = [GRPC, (b"content-length", b"6")]
        assert isinstance(server, Http2)
        await server.frames.head(server.ident, [(b":status", b"200"), *head])
        await server.frames.data(server.ident, frame(b"b"))
        await server.frames.head(server.ident, [OK, (b"x-a", b"b")], end=True)
        await server.wire.rest()

    body = as_text(frame(b"abc")) if kind == TEXT else frame(b"abc")
    async with bridge(tmp_path, (version, 2), story, http=ON) as link:
        await link.client.ask(CALL, kind, body=body)
        _, answer = await link.client.response()
    (request,) = heard
    assert request.value(b"content-type") == b"application/grpc+proto"
    assert request.value(b"te") == b"trailers"
    assert request.value(b"content-length") is None
    assert request.body == frame(b"abc")
    last = frame(b"grpc-status: 0\r\nx-a: b\r\n", flags=TRAILERS)
    wanted = [frame(b"b"), last]
    assert answer.body == (as_text(*wanted) if kind == TEXT else b"".join(wanted))
    assert answer.value(b"content-type") == kind[1]
    assert answer.value(b"content-length") is None
    assert answer.trailers == []


@pytest.mark.parametrize(
    ("versions", "on"),
    [((1, 2), False), ((2, 2), False), ((1, 1), True), ((2, 1), True)],
    ids=["off1to2", "off2to2", "on1to1", "on2to1"],
)
async def test_it_passes_as_it_is(tmp_path: Path, versions: tuple[int, int], *, on: bool) -> None:
    heard: list[Message] = []
    whole = frame(b"b") + frame(b"grpc-status: 0\r\n", flags=TRAILERS)

    async def story(server: Speaker) -> None:
        heard.append(await server.request())
        await server.answer(200, TEXT, body=as_text(whole))
        await server.wire.rest()

    async with telling(story, versions[1]) as server:
        document = before(server.address, versions[1], http={"grpc_web": on})
        # Where no cluster spoke HTTP/2 the document would be refused.
        document["clusters"].append(
            {"name": "other", "protocol": "http2", "endpoints": ["127.0.0.1:1"]}
        )
        document["listeners"][0]["routes"] = [
            {"to": "web"},
            {"match": {"host": "other.example"}, "to": "other"},
        ]
        async with (
            running(tmp_path, document) as proxy,
            asking(await proxy.port(), versions[0]) as client,
        ):
            await client.ask(CALL, TEXT, body=b"no base64")
            _, answer = await client.response()
    (request,) = heard
    assert (request.value(TEXT[0]), request.body) == (TEXT[1], b"no base64")
    assert request.value(b"content-length") == b"9"
    assert (answer.value(TEXT[0]), answer.body) == (TEXT[1], as_text(whole))


@versions
async def test_an_answer_that_is_no_grpc_passes_as_it_is(tmp_path: Path, version: int) -> None:
    async def story(server: Speaker) -> None:
        await server.request()
        await server.answer(503, (b"content-type", b"text/plain"), body=b"later")
        await server.wire.rest()

    async with bridge(tmp_path, (version, 2), story, http=ON) as link:
        await link.client.ask(CALL, TEXT, body=as_text(frame(b"")))
        _, answer = await link.client.response()
    assert (answer.status, answer.body) == (503, b"later")
    assert answer.value(b"content-type") == b"text/plain"
    assert answer.value(b"content-length") == b"5"


async def ends(server: Http2) -> None:
    """End without a status."""
    await server.frames.data(server.ident, b"", end=True)


async def resets(server: Http2) -> None:
    """Give up."""
    await server.frames.reset(server.ident, INTERNAL_ERROR)


async def babbles(server: Http2) -> None:
    """Send what begins no message."""
    await server.frames.data(server.ident, b"\x80\x00\x00\x00\x00")


async def tells(server: Http2) -> None:
    """End in order."""
    await server.frames.head(server.ident, [OK], end=True)


async def rest_of_answer(client: Speaker, size: int, seen: trio.Event) -> bytes:
    """What comes behind so many bytes, once those are seen."""
    if isinstance(client, Http2):
        await client.frames.until_body(client.ident, size)
        seen.set()
        return (await client.frames.until_end(client.ident)).body
    message = await client.wire.head()
    assert await client.wire.chunk() == frame(b"whole")[:size]
    seen.set()
    await client.wire.body(message)
    return message.body


async def failing(folder: Path, version: int, size: int, failure: Failure) -> bytes | None:
    """What comes behind a message, or its first bytes, when the upstream fails; None is a cut."""
    rest = None
    seen = trio.Event()

    async def story(server: Speaker) -> None:
        assert isinstance(server, Http2)
        await server.request()
        await server.frames.head(server.ident, [(b":status", b"200"), GRPC])
        await server.frames.data(server.ident, frame(b"whole")[:size])
        await seen.wait()
        await failure(server)
        await server.wire.rest()

    async with bridge(folder, (version, 2), story, http=ON) as link:
        await link.client.ask(CALL, BINARY, body=frame(b""))
        with suppress(Ended, trio.BrokenResourceError):
            rest = await rest_of_answer(link.client, size, seen)
        name = "meshcore_cluster_grpc_calls_total"
        assert await link.proxy.metric(name, grpc_status=UNAVAILABLE) == 1
    return rest


@versions
@pytest.mark.parametrize("failure", [ends, resets])
async def test_a_failure_behind_a_message_is_told(
    tmp_path: Path, version: int, failure: Failure
) -> None:
    rest = await failing(tmp_path, version, WHOLE, failure)
    assert rest is not None
    assert rest[0] == TRAILERS
    assert fields(rest[5:])["grpc-status"] == UNAVAILABLE


@versions
@pytest.mark.parametrize("failure", [ends, resets, tells])
@pytest.mark.parametrize("size", [3, WHOLE - 1])
async def test_a_failure_within_a_message_is_a_cut(
    tmp_path: Path, version: int, failure: Failure, size: int
) -> None:
    assert await failing(tmp_path, version, size, failure) is None


@versions
async def test_what_is_no_message_is_a_cut(tmp_path: Path, version: int) -> None:
    assert await failing(tmp_path, version, WHOLE, babbles) is None
