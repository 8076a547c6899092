"""gRPC as frames: what the proxy itself says and changes."""

from pathlib import Path

import pytest
import trio

from tests.support.bridge import Http2, Speaker, before, bridge, telling
from tests.support.frames import REFUSED_STREAM, Frames, get, speak
from tests.support.proxy import running, web
from tests.support.wire import Message

GRPC = (b"content-type", b"application/grpc")
TE = (b"te", b"trailers")
UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
# Between the first attempt and the second.
SPELL = 0.2
UNIMPLEMENTED, UNAVAILABLE, DEADLINE_EXCEEDED = b"12", b"14", b"4"


async def call(client: Frames, *fields: tuple[bytes, bytes]) -> Message:
    """A gRPC call without a message."""
    head = get("/test.Echo/Echo", GRPC, TE, *fields, method="POST")
    return await client.until_end(await client.open(head))


def seconds(timeout: bytes | None) -> float:
    """A `grpc-timeout`: at most eight digits and a unit."""
    assert timeout is not None
    assert 1 <= len(timeout) - 1 <= 8
    return int(timeout[:-1]) * UNITS[timeout[-1:]]


@pytest.mark.parametrize("sent", [b"5S", b"5000m", b"5000000u", b"1H", b"99999999n"])
async def test_a_timeout_goes_on_and_never_grows(tmp_path: Path, sent: bytes) -> None:
    heard: list[Message] = []

    async def story(server: Speaker) -> None:
        heard.append(await server.request())
        await server.answer(200, GRPC, trailers=[(b"grpc-status", b"0")])
        await server.wire.rest()

    async with bridge(tmp_path, (2, 2), story) as link:
        assert isinstance(link.client, Http2)
        answer = await call(link.client.frames, (b"grpc-timeout", sent))
    assert answer.trailers == [(b"grpc-status", b"0")]
    assert 0 < seconds(heard[0].value(b"grpc-timeout")) <= seconds(sent)
    assert heard[0].value(b"te") == b"trailers"


async def test_a_second_attempt_has_what_is_left_of_the_time(tmp_path: Path) -> None:
    heard: list[Message] = []

    async def story(server: Speaker) -> None:
        assert isinstance(server, Http2)
        heard.append(await server.request())
        with trio.move_on_after(SPELL):
            await trio.sleep_forever()
        await server.frames.reset(server.ident, REFUSED_STREAM)
        heard.append(await server.request())
        await server.answer(200, GRPC, trailers=[(b"grpc-status", b"0")])
        await server.wire.rest()

    async with bridge(tmp_path, (2, 2), story) as link:
        assert isinstance(link.client, Http2)
        await call(link.client.frames, (b"grpc-timeout", b"5S"))
    first, second = (seconds(one.value(b"grpc-timeout")) for one in heard)
    assert first <= 5
    assert second <= 5 - SPELL


async def test_a_timeout_that_passes_is_answered_by_us(tmp_path: Path) -> None:
    given_up = trio.Event()

    async def story(server: Speaker) -> None:
        assert isinstance(server, Http2)
        await server.request()
        while server.frames.stream(server.ident).reset is None:
            await server.frames.frame()
        given_up.set()

    async with bridge(tmp_path, (2, 2), story) as link:
        assert isinstance(link.client, Http2)
        answer = await call(link.client.frames, (b"grpc-timeout", b"100m"))
        assert said(answer) == DEADLINE_EXCEEDED
        with trio.fail_after(10):
            await given_up.wait()


def said(answer: Message) -> bytes | None:
    """The status of an answer without body and trailers: 200, and gRPC's in the head."""
    assert (answer.status, answer.body, answer.trailers) == (200, b"", [])
    assert (answer.value(b"content-type") or b"").startswith(b"application/grpc")
    return answer.value(b"grpc-status")


@pytest.mark.parametrize("kind", [b"application/grpc", b"application/grpc+proto"])
async def test_our_own_errors_are_statuses(tmp_path: Path, kind: bytes) -> None:
    document = web(routes=[{"match": {"path": {"exact": "/there"}}, "to": "web"}])
    async with running(tmp_path, document) as proxy, speak(await proxy.port()) as client:
        for path, status in (("/there", UNAVAILABLE), ("/elsewhere", UNIMPLEMENTED)):
            head = get(path, (b"content-type", kind), TE, method="POST")
            answer = await client.until_end(await client.open(head))
            assert said(answer) == status
            assert answer.error


@pytest.mark.parametrize("kind", [b"text/plain", b"application/grpc-web", b"application/grpcx"])
async def test_who_does_not_speak_grpc_gets_http(tmp_path: Path, kind: bytes) -> None:
    async with running(tmp_path, web()) as proxy, speak(await proxy.port()) as client:
        head = get("/", (b"content-type", kind), method="POST")
        answer = await client.until_end(await client.open(head))
        assert (answer.status, answer.values(b"grpc-status")) == (503, [])


async def test_trailers_only_stay_one_head(tmp_path: Path) -> None:
    async def story(server: Speaker) -> None:
        assert isinstance(server, Http2)
        await server.request()
        fields = [(b":status", b"200"), GRPC, (b"grpc-status", b"5"), (b"grpc-message", b"no %25")]
        await server.frames.head(server.ident, fields, end=True)
        await server.wire.rest()

    async with (
        telling(story, 2) as server,
        running(tmp_path, before(server.address, 2)) as proxy,
        speak(await proxy.port()) as client,
    ):
        answer = await call(client)
        assert said(answer) == b"5"
        assert answer.value(b"grpc-message") == b"no %25"
        assert len(client.stream(1).heads) == 1
