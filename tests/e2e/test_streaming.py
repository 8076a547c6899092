"""Bodies pass as they come, in constant memory."""

from pathlib import Path

import trio

from tests.support.proxy import running, talking, web
from tests.support.scale import scaled
from tests.support.upstream import upstream
from tests.support.wire import Wire, connect

MIB = 1 << 20
GIB = 1 << 30
# What one stream may add to the process: two buffers or a pipe, and the allocator's slack.
GROWTH_KIB = 4 * 1024


async def test_a_10_gib_body_passes_in_constant_memory(tmp_path: Path) -> None:
    size = scaled(10 * GIB, 64 * MIB)
    piece = bytes(MIB)

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // MIB):
            await wire.send(piece)
        await wire.send(bytes(size % MIB))

    async with (
        upstream(script) as server,
        running(tmp_path, web(server.address)) as proxy,
        connect(await proxy.port()) as wire,
    ):
        before = proxy.resident_kib()
        await wire.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
        await wire.head()
        received, highest = len(wire.take(len(wire.buffer))), before
        while received < size and await wire.more(MIB):
            received += len(wire.take(len(wire.buffer)))
            highest = max(highest, proxy.resident_kib())
    assert received == size
    assert highest - before <= GROWTH_KIB


async def test_uploads_pass_in_constant_memory(tmp_path: Path) -> None:
    size = scaled(10 * GIB, 64 * MIB) // MIB * MIB
    counted = 0

    async def script(wire: Wire) -> None:
        nonlocal counted
        await wire.head()
        while counted < size and (wire.buffer or await wire.more(MIB)):
            counted += len(wire.take(len(wire.buffer)))
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with (
        upstream(script) as server,
        running(tmp_path, web(server.address)) as proxy,
        connect(await proxy.port()) as wire,
    ):
        before = proxy.resident_kib()
        await wire.send(b"PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // MIB):
            await wire.send(bytes(MIB))
        assert (await wire.response()).status == 200
        assert proxy.resident_kib() - before <= GROWTH_KIB
    assert counted == size


async def test_each_event_arrives_before_the_next_is_sent(tmp_path: Path) -> None:
    events = scaled(10_000, 200)
    seen = trio.Semaphore(0)

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        await wire.send(b"Transfer-Encoding: chunked\r\n\r\n")
        for number in range(events):
            data = b"data: %d\n\n" % number
            await wire.send(b"%x\r\n%s\r\n" % (len(data), data))
            await seen.acquire()
        await wire.send(b"0\r\n\r\n")

    async with upstream(script) as server, talking(tmp_path, web(server.address)) as wire:
        await wire.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
        await wire.head()
        for number in range(events):
            assert await wire.chunk() == b"data: %d\n\n" % number
            seen.release()
        assert await wire.chunk() == b""


async def test_each_piece_of_an_upload_arrives_before_the_next_is_sent(tmp_path: Path) -> None:
    got = trio.Semaphore(0)

    async def script(wire: Wire) -> None:
        await wire.head()
        while await wire.chunk():
            got.release()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with upstream(script) as server, talking(tmp_path, web(server.address)) as wire:
        await wire.send(b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(50):
            await wire.send(b"1\r\n%d\r\n" % (number % 10))
            with trio.fail_after(10):
                await got.acquire()
