"""Limits, row 7: what ten thousand idle connections, a slow reader and no descriptors cost."""

import resource
import subprocess
from pathlib import Path

import trio

from tests.support.backend import backends
from tests.support.load import GENERATOR, load, steady
from tests.support.proxy import Proxy, proc, running, web
from tests.support.scale import SCALE, scaled
from tests.support.upstream import answering, upstream
from tests.support.wire import Ended, Wire, connect

MIB_KIB = 1024
GIB = 1 << 30
IDLE_PROCESS_KIB = 40 * MIB_KIB
# An extension that isn't optimised, as `make test` has it, is larger; the bar is for the other.
UNOPTIMISED_KIB = 8 * 1024 if SCALE < 1 else 0
PER_10_000_IDLE_KIB = 20 * MIB_KIB
SLOW_READER_KIB = 256
# Long enough to tell a pause from a spin.
SPELL = 1.0


def descriptors(wanted: int) -> None:
    """Let this process, and what it starts, have so many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, wanted)), hard))


async def test_an_idle_process_is_small(tmp_path: Path) -> None:
    async with answering() as server, running(tmp_path, web(server.address)) as proxy:
        assert proxy.resident_kib() <= IDLE_PROCESS_KIB + UNOPTIMISED_KIB


async def test_idle_connections_are_cheap(tmp_path: Path) -> None:
    count = scaled(10_000, 2_000)
    descriptors(count * 2 + 1_000)
    async with backends("A") as (server,), running(tmp_path, web(server.address)) as proxy:
        port = await proxy.port()
        steady(await load("http", port, requests=1_000, connections=64), 1_000)
        before = proxy.resident_kib()
        command = [GENERATOR, "idle", "--target", f"127.0.0.1:{port}", "--connections", str(count)]
        holder = await trio.lowlevel.open_process(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert b"ready" in await holder.stdout.receive_some()
        assert await proxy.metric("meshcore_worker_connections_active") >= count
        grown = proxy.resident_kib() - before
        await holder.stdin.aclose()
        report = b"".join([data async for data in holder.stdout])
        assert f'"still_open":{count}'.encode() in report.replace(b" ", b"")
        assert await holder.wait() == 0
    assert grown <= PER_10_000_IDLE_KIB * count / 10_000


async def test_a_slow_reader_holds_little(tmp_path: Path) -> None:
    piece = bytes(1 << 20)
    sent = 0

    async def script(wire: Wire) -> None:
        nonlocal sent
        while True:
            sent, size = 0, int((await wire.request()).target[1:])
            await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            while sent < size:
                await wire.stream.send_all(piece)
                sent += len(piece)

    async with upstream(script) as server, running(tmp_path, web(server.address)) as proxy:
        port = await proxy.port()
        async with connect(port) as warm:
            # The code and the buffers of a large copy are there before the measurement.
            assert len((await warm.get(f"/{len(piece) * 16}")).body) == len(piece) * 16
        before = proxy.resident_kib()
        async with connect(port, receive_buffer=4096) as wire:
            await wire.send(b"GET /%d HTTP/1.1\r\nHost: t\r\n\r\n" % GIB)
            await wire.until(b"\r\n\r\n")
            for _ in range(200):
                assert await wire.more(1024)
            assert proxy.resident_kib() - before <= SLOW_READER_KIB
            # The upstream was stopped long before the end.
            assert sent < GIB // 8


async def test_descriptors_used_up_pause_accepting_and_no_more(tmp_path: Path) -> None:
    async with backends("A") as (server,), running(tmp_path, web(server.address)) as proxy:
        port = await proxy.port()
        async with connect(port) as early:
            assert (await early.get("/1k")).status == 200
            limit = proxy.descriptors() + 8
            resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, (limit, limit))
            async with trio.open_nursery() as nursery:
                leave = trio.Event()
                for _ in range(40):
                    nursery.start_soon(hold, port, leave)
                with trio.fail_after(20):
                    while proxy.descriptors() < limit:
                        # Who is inside is served as before.
                        assert (await early.get("/1k")).status == 200
                used = proxy.cpu_seconds()
                with trio.move_on_after(SPELL):
                    await trio.sleep_forever()
                assert proxy.cpu_seconds() - used < SPELL / 4
                assert (await early.get("/1k")).status == 200
                leave.set()
        async with connect(port) as late:
            assert (await late.get("/1k")).status == 200
        assert await proxy.metric("meshcore_worker_accept_errors_total") > 0


async def hold(port: int, leave: trio.Event) -> None:
    """An open connection until `leave`."""
    async with connect(port):
        await leave.wait()


async def test_a_listener_keeps_its_connection_limit_over_all_workers(tmp_path: Path) -> None:
    async with answering() as server:
        document = web(server.address, limits={"connections": 10})
        async with running(tmp_path, document, "--workers", "2") as proxy:
            port = await proxy.port()
            open_ones = []
            async with trio.open_nursery() as nursery:
                leave = trio.Event()

                async def ask() -> None:
                    async with connect(port) as wire:
                        try:
                            await wire.get()
                        except (Ended, trio.BrokenResourceError):
                            return
                        open_ones.append(wire)
                        await leave.wait()

                for _ in range(30):
                    nursery.start_soon(ask)
                while await proxy.metric("meshcore_listener_connections_refused_total") < 20:
                    pass
                leave.set()
    assert len(open_ones) == 10


async def test_nothing_spins_while_nothing_happens(tmp_path: Path) -> None:
    async with (
        answering() as server,
        running(tmp_path, web(server.address)) as proxy,
        connect(await proxy.port()) as wire,
    ):
        await wire.get()
        switches = voluntary(proxy)
        begun = trio.current_time()
        with trio.move_on_after(SPELL):
            await trio.sleep_forever()
        per_second = (voluntary(proxy) - switches) / (trio.current_time() - begun)
    assert per_second < 50


def voluntary(proxy: Proxy) -> int:
    """How often the process's main thread went to sleep by itself."""
    status = proc(proxy.pid, "status")
    return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
