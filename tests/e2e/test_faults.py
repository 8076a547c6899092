"""Upstreams that fail: one specified outcome each, and never a clean end of something cut."""

import socket
from pathlib import Path

import pytest
import trio

from tests.support.proxy import running, talking, web
from tests.support.upstream import Script, answering, ok, upstream
from tests.support.wire import Ended, Wire, connect


def closed_port() -> str:
    """An address where nobody listens: bound, and never listened on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def answering_with(data: bytes) -> Script:
    """A script that reads one request, says `data` and ends."""

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(data)

    return script


async def reset_after_request(wire: Wire) -> None:
    """Read a request and reset."""
    await wire.request()
    wire.reset()


async def silent(wire: Wire) -> None:
    """Read and never answer."""
    await wire.rest()


BROKEN = {
    "reset": (reset_after_request, 502, b"upstream_reset"),
    "empty": (answering_with(b""), 502, b"upstream_reset"),
    "cut-head": (answering_with(b"HTTP/1.1 200 OK\r\nContent-Le"), 502, b"upstream_reset"),
    "garbage": (answering_with(b"\x00\x01\x02garbage\r\n\r\n"), 502, b"upstream_protocol_error"),
    "two-lengths": (
        answering_with(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        502,
        b"upstream_protocol_error",
    ),
    "length-and-coding": (
        answering_with(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
        502,
        b"upstream_protocol_error",
    ),
}


@pytest.mark.parametrize(("script", "status", "code"), BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_answer(tmp_path: Path, script: Script, status: int, code: bytes) -> None:
    async with upstream(script) as server, talking(tmp_path, web(server.address)) as wire:
        response = await wire.get()
    assert (response.status, response.error) == (status, code)


async def test_nobody_listens(tmp_path: Path) -> None:
    async with talking(tmp_path, web(closed_port())) as wire:
        response = await wire.get()
    assert (response.status, response.error) == (503, b"upstream_connect_failed")


async def test_no_endpoint_at_all(tmp_path: Path) -> None:
    async with talking(tmp_path, web()) as wire:
        response = await wire.get()
    assert (response.status, response.error) == (503, b"no_healthy_upstream")


async def test_a_failed_connect_goes_to_another_endpoint(tmp_path: Path) -> None:
    async with answering() as server:
        document = web(closed_port(), server.address)
        async with talking(tmp_path, document) as wire:
            statuses = [(await wire.get()).status for _ in range(20)]
    assert statuses == [200] * 20


async def test_a_route_that_takes_too_long(tmp_path: Path) -> None:
    async with upstream(silent) as server:
        document = web(server.address, routes=[{"to": "web", "timeout": "100ms"}])
        async with talking(tmp_path, document) as wire:
            response = await wire.get()
    assert (response.status, response.error) == (504, b"request_timeout")


async def test_an_answer_that_stops_moving_is_cut(tmp_path: Path) -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await wire.rest()

    async with upstream(script) as server:
        document = web(server.address, timeouts={"stream_idle": "200ms"})
        async with talking(tmp_path, document) as wire:
            with pytest.raises((Ended, trio.BrokenResourceError)):
                await wire.get()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nX: 1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_a_truncated_answer_stays_truncated(tmp_path: Path, answer: bytes) -> None:
    async with (
        upstream(answering_with(answer)) as server,
        running(tmp_path, web(server.address)) as proxy,
        connect(await proxy.port()) as wire,
    ):
        with pytest.raises((Ended, trio.BrokenResourceError, ValueError)):
            await wire.get()


async def test_surplus_bytes_are_never_given_to_the_next_request(tmp_path: Path) -> None:
    async def script(wire: Wire) -> None:
        while True:
            await wire.request()
            await wire.send(ok(b"mine"), b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")

    async with upstream(script) as server, talking(tmp_path, web(server.address)) as wire:
        bodies = [(await wire.get()).body for _ in range(10)]
    assert bodies == [b"mine"] * 10


async def test_a_connection_closed_while_idle_costs_nobody_an_answer(tmp_path: Path) -> None:
    closed = trio.Semaphore(0)

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(ok())
        await wire.end()
        closed.release()

    async with upstream(script) as server, talking(tmp_path, web(server.address)) as wire:
        for _ in range(200):
            await wire.send(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nhi")
            assert (await wire.response()).status == 200
            await closed.acquire()
    assert server.connections == 200


async def test_a_request_that_was_read_is_never_sent_again(tmp_path: Path) -> None:
    seen = 0

    async def script(wire: Wire) -> None:
        nonlocal seen
        await wire.request()
        await wire.send(ok())
        await wire.request()
        seen += 1

    async with upstream(script) as server, talking(tmp_path, web(server.address)) as wire:
        assert (await wire.get()).status == 200
        response = await wire.get()
    assert (response.status, response.error) == (502, b"upstream_reset")
    assert (seen, server.connections) == (1, 1)


async def test_a_client_that_goes_away_ends_its_request_upstream(tmp_path: Path) -> None:
    arrived, ended = trio.Event(), trio.Event()

    async def script(wire: Wire) -> None:
        await wire.request()
        arrived.set()
        try:
            await wire.rest()
        finally:
            ended.set()

    async with upstream(script) as server, running(tmp_path, web(server.address)) as proxy:
        async with connect(await proxy.port()) as wire:
            await wire.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
            await arrived.wait()
            wire.reset()
        with trio.fail_after(10):
            await ended.wait()


async def test_a_slow_head_is_answered_408(tmp_path: Path) -> None:
    async with answering() as server:
        document = web(server.address, timeouts={"header": "100ms"})
        async with talking(tmp_path, document) as wire:
            await wire.send(b"GET / HTTP/1.1\r\nHo")
            response = await wire.response()
            assert (response.status, response.error) == (408, b"request_head_timeout")
            assert await wire.ended()


async def test_a_body_beyond_its_limit_is_answered_413(tmp_path: Path) -> None:
    async with answering() as server:
        document = web(server.address, limits={"body_bytes": "1KiB"})
        async with running(tmp_path, document) as proxy:
            async with connect(await proxy.port()) as wire:
                await wire.send(b"PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: 2000\r\n\r\n")
                response = await wire.response()
                assert (response.status, response.error) == (413, b"request_body_too_large")
            async with connect(await proxy.port()) as wire:
                chunk = b"400\r\n" + bytes(1024) + b"\r\n"
                await wire.send(b"PUT / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
                await wire.send(chunk, b"1\r\nx\r\n")
                assert (await wire.response()).status == 413
    assert server.requests == []
