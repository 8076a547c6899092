"""TCP: bytes both ways, each end as its sender ended it; PROXY protocol in and out."""

import socket
import struct
from pathlib import Path

import pytest
import trio

from tests.support.proxy import Document, running, talking
from tests.support.upstream import upstream
from tests.support.wire import Wire, connect

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def tcp(
    address: str,
    *,
    listener: dict[str, object] | None = None,
    cluster: dict[str, object] | None = None,
) -> Document:
    """The document of one TCP listener before one cluster."""
    return {
        "listeners": [
            {"name": "web", "address": "127.0.0.1:0", "protocol": "tcp", "to": "db"}
            | (listener or {})
        ],
        "clusters": [{"name": "db", "endpoints": [address]} | (cluster or {})],
    }


def header_v2(source: str, port: int, command: int = 0x21) -> bytes:
    """A binary PROXY header for TCP over IPv4."""
    addresses = socket.inet_aton(source) + socket.inet_aton("10.0.0.2")
    block = addresses + struct.pack("!HH", port, 443)
    return SIGNATURE + struct.pack("!BBH", command, 0x11, len(block)) + block


async def echo(wire: Wire) -> None:
    """Send back what comes, until its end."""
    while wire.buffer or await wire.more():
        await wire.send(wire.take(len(wire.buffer)))


async def test_bytes_pass_both_ways(tmp_path: Path) -> None:
    async with upstream(echo) as server, talking(tmp_path, tcp(server.address)) as wire:
        for size in (1, 1000, 100_000, 3_000_000):
            data = bytes(range(251)) * (size // 251 + 1)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wire.send, data)
                assert await wire.exactly(len(data)) == data


async def test_a_half_close_stays_one(tmp_path: Path) -> None:
    async def script(wire: Wire) -> None:
        await wire.send(b"read " + await wire.rest())

    async with upstream(script) as server, talking(tmp_path, tcp(server.address)) as wire:
        await wire.send(b"everything")
        await wire.end()
        assert await wire.rest() == b"read everything"


async def test_the_upstream_may_half_close_too(tmp_path: Path) -> None:
    got = trio.Event()
    received = b""

    async def script(wire: Wire) -> None:
        nonlocal received
        await wire.send(b"bye")
        await wire.end()
        received = await wire.rest()
        got.set()

    async with upstream(script) as server, talking(tmp_path, tcp(server.address)) as wire:
        assert await wire.rest() == b"bye"
        await wire.send(b"still here")
        await wire.end()
        with trio.fail_after(10):
            await got.wait()
    assert received == b"still here"


async def test_a_reset_of_the_upstream_reaches_the_client(tmp_path: Path) -> None:
    async def script(wire: Wire) -> None:
        await wire.exactly(4)
        wire.reset()

    async with upstream(script) as server, talking(tmp_path, tcp(server.address)) as wire:
        await wire.send(b"ping")
        with pytest.raises(trio.BrokenResourceError):
            await wire.rest()


async def test_a_reset_of_the_client_reaches_the_upstream(tmp_path: Path) -> None:
    arrived, was_reset = trio.Event(), trio.Event()

    async def script(wire: Wire) -> None:
        await wire.exactly(4)
        arrived.set()
        try:
            await wire.rest()
        except trio.BrokenResourceError:
            was_reset.set()

    async with upstream(script) as server, running(tmp_path, tcp(server.address)) as proxy:
        async with connect(await proxy.port()) as wire:
            await wire.send(b"ping")
            await arrived.wait()
            wire.reset()
        with trio.fail_after(10):
            await was_reset.wait()


async def test_an_upstream_that_refuses_is_a_reset(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        document = tcp(f"127.0.0.1:{free.getsockname()[1]}")
        async with running(tmp_path, document) as proxy:
            port = await proxy.port()
            # The reset may be there before the client's own connect is looked at.
            with pytest.raises((trio.BrokenResourceError, ConnectionResetError)):
                async with connect(port) as wire:
                    await wire.rest()


@pytest.mark.parametrize(
    ("version", "expected"), [("v1", b"PROXY TCP4 127.0.0.1 127.0.0.1 "), ("v2", SIGNATURE)]
)
async def test_the_upstream_learns_who_calls(tmp_path: Path, version: str, expected: bytes) -> None:
    async with upstream(echo) as server:
        document = tcp(server.address, cluster={"proxy_protocol": version})
        async with talking(tmp_path, document) as wire:
            port = wire.socket.getsockname()[1]
            await wire.send(b"payload")
            header = await wire.until(b"payload")
    assert header.startswith(expected)
    shown = str(port).encode() if version == "v1" else struct.pack("!H", port)
    assert shown in header


@pytest.mark.parametrize(
    "header", [b"PROXY TCP4 203.0.113.7 10.0.0.2 4711 443\r\n", header_v2("203.0.113.7", 4711)]
)
async def test_a_header_tells_who_calls_us(tmp_path: Path, header: bytes) -> None:
    async with upstream(echo) as server:
        document = tcp(
            server.address, listener={"proxy_protocol": True}, cluster={"proxy_protocol": "v1"}
        )
        async with talking(tmp_path, document) as wire:
            await wire.send(header, b"payload")
            line = await wire.until(b"\r\n")
            assert await wire.exactly(7) == b"payload"
    assert line.startswith(b"PROXY TCP4 203.0.113.7 ")
    assert b" 4711 " in line


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"PROXY TCP4 203.0.113.7 10.0.0.2 99999 443\r\n",
        b"PROXY TCP4 not-an-address 10.0.0.2 1 443\r\n",
        SIGNATURE + b"\x31\x11\x00\x0c" + bytes(12),
        SIGNATURE + b"\x21\x11\x00\x04" + bytes(4),
        b"PROXY TCP4 " + b"1" * 200 + b"\r\n",
    ],
)
async def test_a_missing_or_broken_header_closes_without_a_byte(
    tmp_path: Path, sent: bytes
) -> None:
    async with upstream(echo) as server:
        document = tcp(server.address, listener={"proxy_protocol": True})
        async with talking(tmp_path, document) as wire:
            await wire.send(sent)
            assert await wire.ended()
    assert server.connections == 0
