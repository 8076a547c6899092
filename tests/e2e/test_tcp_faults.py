"""Faults of connections that pass as bytes: delays, resets, narrow lines; log and metrics."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.support.figures import Figure
from tests.support.proxy import Document, Proxy, running
from tests.support.scale import scaled
from tests.support.upstream import Upstream, upstream
from tests.support.wire import Wire, connect

PATIENCE = 20.0
RESET = (trio.BrokenResourceError, ConnectionResetError)
RATE = 100_000
SENT = 50_000


def document(server: Upstream, folder: Path, fault: dict[str, object]) -> Document:
    """One TCP listener with a fault."""
    return {
        "listeners": [
            {
                "name": "web",
                "address": "127.0.0.1:0",
                "protocol": "tcp",
                "to": "tcp",
                "fault": fault,
                "access_log": {"path": str(folder / "log"), "format": "json"},
            }
        ],
        "clusters": [{"name": "tcp", "endpoints": [server.address]}],
    }


async def echo(wire: Wire) -> None:
    """Send back what comes, then the end."""
    while await wire.more():
        await wire.send(bytes(wire.buffer))
        wire.buffer.clear()
    await wire.end()


@asynccontextmanager
async def faulty(folder: Path, **fault: object) -> AsyncIterator[tuple[Upstream, Proxy, int]]:
    """A proxy with this fault before a server that echoes."""
    async with upstream(echo) as server, running(folder, document(server, folder, fault)) as proxy:
        yield server, proxy, await proxy.port()


def logged(folder: Path) -> list[dict[str, object]]:
    """The lines of the access log."""
    return [json.loads(line) for line in (folder / "log").read_text().splitlines()]


async def said(wire: Wire, data: bytes) -> float:
    """Send this, read it back, and say how long that took."""
    begun = time.perf_counter()
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wire.send, data)
            assert await wire.exactly(len(data)) == data
    return time.perf_counter() - begun


async def until_reset(port: int, *, says: bool) -> None:
    """Wait for the reset, which may come within the connect."""
    with trio.fail_after(PATIENCE):
        async with connect(port) as wire:
            if says:
                await said(wire, b"hello")
            await wire.stream.receive_some(1)


async def test_a_delay_comes_before_the_connect(tmp_path: Path) -> None:
    async with faulty(tmp_path, delay={"fixed": "300ms"}) as (server, proxy, port):
        async with connect(port) as wire:
            assert server.connections == 0
            assert await said(wire, b"hello") >= 0.25
        assert await proxy.metric("meshcore_listener_faults_total", fault="delay") == 1
    (line,) = logged(tmp_path)
    assert (line["response_flags"], line["bytes_sent"]) == ("DI", 5)


@pytest.mark.parametrize("after", ["0s", "300ms"])
async def test_a_reset_is_one(tmp_path: Path, after: str) -> None:
    async with faulty(tmp_path, reset={"after": after}) as (server, proxy, port):
        with pytest.raises(RESET):
            await until_reset(port, says=after != "0s")
        assert server.connections == (0 if after == "0s" else 1)
        assert await proxy.metric("meshcore_listener_faults_total", fault="reset") == 1
        replies = "meshcore_listener_local_replies_total"
        assert await proxy.metric(replies, error="fault_injected") == 1
    (line,) = logged(tmp_path)
    assert line["response_flags"] == "FI"
    assert line["response_code_details"] == "fault_injected"
    assert line["bytes_received"] == (0 if after == "0s" else 5)


async def test_a_narrow_line_has_its_rate(tmp_path: Path, figure: Figure) -> None:
    """Both ways at once, each at the rate; the end passes too."""
    fault = {"bytes_per_second": RATE}
    async with faulty(tmp_path, bandwidth=fault) as (_, proxy, port):
        async with connect(port) as wire:
            seconds = await said(wire, bytes(SENT))
            await wire.end()
            with trio.fail_after(PATIENCE):
                assert await wire.ended()
        assert await proxy.metric("meshcore_listener_faults_total", fault="bandwidth") == 1
    figure("rate", f"{SENT / seconds:.0f} bytes/s of {RATE}")
    # The first step is free, and the way back runs beside the way there.
    assert seconds >= 0.8 * SENT / RATE
    (line,) = logged(tmp_path)
    assert (line["response_flags"], line["bytes_sent"]) == ("DI", SENT)


async def test_shares(tmp_path: Path, figure: Figure) -> None:
    """Of 10,000 connections so many percent; the others pass as without a fault."""
    count = scaled(10_000, 200)
    fault = {"reset": {"percentage": 25}}
    reset = 0
    async with faulty(tmp_path, **fault) as (server, proxy, port):
        for _ in range(count):
            try:
                async with connect(port) as wire:
                    await wire.send(b"a")
                    assert await wire.exactly(1) == b"a"
            except (trio.BrokenResourceError, ConnectionError):
                reset += 1
        assert server.connections == count - reset
        assert await proxy.metric("meshcore_listener_faults_total", fault="reset") == reset
    share = reset / count
    figure("share", f"{share:.4f}")
    # Four standard deviations.
    assert abs(share - 0.25) <= 4 * (0.25 * 0.75 / count) ** 0.5
