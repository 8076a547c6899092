"""HTTP/1: framing, keep-alive and the order of things."""

from pathlib import Path

import pytest

from tests.support.proxy import talking, web
from tests.support.upstream import answering, ok, upstream
from tests.support.wire import Wire


async def test_connections_are_kept_on_both_sides(tmp_path: Path) -> None:
    async with answering() as server, talking(tmp_path, web(server.address)) as wire:
        for _ in range(20):
            assert (await wire.get()).body == b"a"
    assert (len(server.requests), server.connections) == (20, 1)


async def test_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    async def echo(wire: Wire) -> None:
        while True:
            await wire.send(ok((await wire.request()).target))

    async with upstream(echo) as server, talking(tmp_path, web(server.address)) as wire:
        await wire.send(*(b"GET /%d HTTP/1.1\r\nHost: t\r\n\r\n" % n for n in range(50)))
        bodies = [(await wire.response()).body for _ in range(50)]
    assert bodies == [b"/%d" % n for n in range(50)]


async def test_a_head_may_come_byte_by_byte(tmp_path: Path) -> None:
    async with answering() as server, talking(tmp_path, web(server.address)) as wire:
        for byte in b"POST /slow HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello":
            await wire.send(bytes([byte]))
        assert (await wire.response()).status == 200
    assert server.requests[0].body == b"hello"


async def test_chunks_and_trailers_pass_both_ways(tmp_path: Path) -> None:
    answer = b"".join(
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n",
            b"3\r\nabc\r\n5;ext=1\r\ndefgh\r\n0\r\nX-Sum: 8\r\nContent-Length: 3\r\n\r\n",
        )
    )
    requests = []

    async def script(wire: Wire) -> None:
        requests.append(await wire.request())
        await wire.send(answer)
        await wire.rest()

    async with upstream(script) as server, talking(tmp_path, web(server.address)) as wire:
        await wire.send(
            b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"4;a=b\r\nwiki\r\n",
            b"5\r\npedia\r\n0\r\nX-Checksum: 9\r\nHost: evil\r\n\r\n",
        )
        response = await wire.response()
    assert requests[0].body == b"wikipedia"
    assert requests[0].trailers == [(b"X-Checksum", b"9")]
    assert response.body == b"abcdefgh"
    assert response.trailers == [(b"X-Sum", b"8")]


async def test_the_upstream_decides_about_100_continue(tmp_path: Path) -> None:
    async def script(wire: Wire) -> None:
        head = await wire.head()
        assert head.value(b"expect") == b"100-continue"
        assert not wire.buffer
        await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await wire.body(head)
        await wire.send(ok(head.body))
        await wire.rest()

    async with upstream(script) as server, talking(tmp_path, web(server.address)) as wire:
        await wire.send(
            b"PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
        )
        assert (await wire.response()).status == 100
        await wire.send(b"body")
        assert (await wire.response()).body == b"body"


async def test_a_refused_expectation_sends_no_body(tmp_path: Path) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        assert await wire.rest() == b""

    async with upstream(script) as server, talking(tmp_path, web(server.address)) as wire:
        await wire.send(
            b"PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
        )
        assert (await wire.response()).status == 403


async def test_an_unknown_expectation_is_refused(tmp_path: Path) -> None:
    async with answering() as server, talking(tmp_path, web(server.address)) as wire:
        response = await wire.get("/", "t", "Expect: miracles")
    assert (response.status, response.error) == (417, b"expectation_failed")
    assert server.requests == []


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b'HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\nETag: "x"\r\n\r\n'),
    ],
)
async def test_answers_without_a_body_keep_the_connection(
    tmp_path: Path, method: str, answer: bytes
) -> None:
    async def script(wire: Wire) -> None:
        while True:
            await wire.request()
            await wire.send(answer)

    async with upstream(script) as server, talking(tmp_path, web(server.address)) as wire:
        for _ in range(3):
            await wire.send(method.encode() + b" / HTTP/1.1\r\nHost: t\r\n\r\n")
            response = await wire.response(method)
            assert response.start == answer.split(b"\r\n")[0]
    assert server.connections == 1


async def test_an_answer_may_come_before_the_request_ends(tmp_path: Path) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(ok(b"enough"))
        await wire.rest()

    async with upstream(script) as server, talking(tmp_path, web(server.address)) as wire:
        await wire.send(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\nfirst")
        response = await wire.response()
    assert response.body == b"enough"


async def test_http_1_0_is_served_and_closed(tmp_path: Path) -> None:
    async with answering() as server, talking(tmp_path, web(server.address)) as wire:
        await wire.send(b"GET / HTTP/1.0\r\n\r\n")
        assert (await wire.response()).body == b"a"
        assert await wire.ended()


async def test_a_1_0_client_gets_chunks_as_plain_bytes(tmp_path: Path) -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        )
        await wire.rest()

    async with upstream(script) as server, talking(tmp_path, web(server.address)) as wire:
        await wire.send(b"GET / HTTP/1.0\r\nHost: t\r\n\r\n")
        response = await wire.head()
        assert response.values(b"transfer-encoding") == []
        assert await wire.rest() == b"abc"


async def test_an_answer_that_ends_with_its_connection(tmp_path: Path) -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")

    async with upstream(script) as server, talking(tmp_path, web(server.address)) as wire:
        assert (await wire.get()).body == b"until the end"


async def test_close_is_honoured(tmp_path: Path) -> None:
    async with answering() as server, talking(tmp_path, web(server.address)) as wire:
        response = await wire.get("/", "t", "Connection: close")
        assert response.body == b"a"
        assert (response.value(b"connection") or b"").lower() == b"close"
        assert await wire.ended()
