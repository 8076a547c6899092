"""Change under load, row 5: applies and replacements that nobody notices."""

import json
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import trio

import meshcore
from tests.support.backend import Backend, backends
from tests.support.certificates import Authority
from tests.support.load import Report, load, steady
from tests.support.proxy import Document, resident_kib, running, web, write
from tests.support.scale import scaled
from tests.support.wire import connect

# The allocator's slack over a million requests; a leak of one snapshot per apply is far more.
RSS_GROWTH_KIB = 8 * 1024


def document(servers: list[Backend], turn: int) -> Document:
    """The same service, another configuration each turn: endpoints, routes, listeners."""
    shown = servers if turn % 2 else servers[:-1]
    routes: list[dict[str, object]] = [
        {"match": {"path": {"prefix": f"/only-{turn}"}}, "to": "other"},
        {"match": {"host": "*.test", "path": {"prefix": "/"}}, "to": "web"},
        {"to": "web"},
    ]
    listeners: list[dict[str, object]] = [
        {"name": "web", "address": "127.0.0.1:0", "routes": routes[turn % 2 :]}
    ]
    if turn % 3 == 0:
        listeners.append(listeners[0] | {"name": f"extra-{turn}"})
    endpoints = [server.address for server in shown]
    return {
        "listeners": listeners,
        "clusters": [
            {"name": "web", "endpoints": endpoints},
            {
                "name": "other",
                "endpoints": endpoints[:1],
                "balance": ("random", "least_request")[turn % 2],
            },
        ],
    }


async def test_applies_under_load() -> None:
    requests, applies = scaled(1_000_000, 20_000), scaled(1_000, 100)
    async with backends("ABC") as servers:
        configs = [meshcore.loads(json.dumps(document(servers, turn))) for turn in range(12)]
        async with meshcore.Engine(configs[0], workers=2) as engine:
            (port,) = {
                int(one.bound.rpartition(":")[2])
                for one in engine.listeners()
                if one.listener == "web"
            }
            steady(await load("http", port, requests=2_000, connections=64), 2_000)
            reports: list[Report] = []

            async def drive() -> None:
                reports.append(await load("http", port, requests=requests, connections=64))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(drive)
                before, applied = 0, 0
                while applied < applies or not reports:
                    applied += 1
                    await engine.apply(configs[applied % len(configs)])
                    if applied == len(configs):
                        # Everything that it ever has, it has had once.
                        before = resident_kib(os.getpid())
            growth = resident_kib(os.getpid()) - before
            assert engine.generation >= applies
    steady(reports[0], requests)
    assert growth <= RSS_GROWTH_KIB
    assert set(reports[0]["backends"]) == {"A", "B", "C"}


async def test_saved_documents_under_load(tmp_path: Path) -> None:
    requests, applies = scaled(1_000_000, 20_000), scaled(100, 5)
    async with (
        backends("ABC") as servers,
        running(tmp_path, document(servers, 0), "--workers", "2") as proxy,
    ):
        port = await proxy.port()
        # Warm: buffers, pools and the allocator have their size.
        steady(await load("http", port, requests=2_000, connections=64), 2_000)
        before = proxy.resident_kib()
        reports: list[Report] = []
        saved = trio.Event()

        async def drive() -> None:
            # However long the saves take, requests go on until the last of them is in force.
            while not reports or not saved.is_set():
                reports.append(await load("http", port, requests=requests, connections=64))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(drive)
            applied = 0
            while applied < applies or not reports:
                applied += 1
                await proxy.change(document(servers, applied))
            saved.set()
        growth = proxy.resident_kib() - before
    for report in reports:
        steady(report, requests)
    assert growth <= RSS_GROWTH_KIB
    assert {name for report in reports for name in report["backends"]} == {"A", "B", "C"}


async def test_certificates_change_under_load(tmp_path: Path, authority: Authority) -> None:
    requests, rotations = scaled(100_000, 2_000), scaled(200, 10)
    tls = authority.pair("localhost", file="web").document
    roots = str(authority.roots)
    async with (
        backends("A") as servers,
        running(tmp_path, web(servers[0].address, tls=tls)) as proxy,
    ):
        port = await proxy.port()
        reports: list[Report] = []

        async def drive(fresh: bool) -> None:
            flags: dict[str, object] = {"fresh": True} if fresh else {}
            reports.append(
                await load("http", port, requests=requests, connections=16, ca=roots, **flags)
            )

        async with trio.open_nursery() as nursery:
            nursery.start_soon(drive, False)
            nursery.start_soon(drive, True)
            for _ in range(rotations):
                generation = await proxy.generation()
                authority.pair("localhost", file="web")
                await proxy.becomes(generation + 1)
    for report in reports:
        steady(report, requests)


async def test_replacements_under_load(tmp_path: Path) -> None:
    requests, replacements = scaled(1_000_000, 20_000), scaled(100, 3)
    reports: list[Report] = []
    async with backends("AB") as servers, trio.open_nursery() as nursery, AsyncExitStack() as stack:
        current = document(servers, 1)
        flags = ("--workers", "2")
        proxy = await stack.enter_async_context(running(tmp_path, current, *flags, stop=False))
        port = await proxy.port()
        done = trio.Semaphore(0)

        async def drive(*, fresh: bool) -> None:
            more: dict[str, object] = {"fresh": True} if fresh else {}
            reports.append(await load("http", port, requests=requests // 2, connections=32, **more))
            done.release()

        nursery.start_soon(lambda: drive(fresh=False))
        nursery.start_soon(lambda: drive(fresh=True))
        for _ in range(replacements):
            following = running(tmp_path, current, *flags, "--replace", stop=False)
            successor = await stack.enter_async_context(following)
            with trio.fail_after(60):
                assert await proxy.process.wait() == 0, proxy.words
            proxy = successor
        for _ in range(2):
            await done.acquire()
        await proxy.stop()
    for report in reports:
        steady(report, requests // 2)


async def test_sighup_reads_the_document_again(tmp_path: Path) -> None:
    async with (
        backends("AB") as (a, b),
        running(tmp_path, web(a.address)) as proxy,
        connect(await proxy.port()) as wire,
    ):
        assert (await wire.get("/1k")).value(b"x-backend") == b"A"
        generation = await proxy.generation()
        write(proxy.path, web(b.address))
        proxy.process.send_signal(signal.SIGHUP)
        await proxy.becomes(generation + 1)
        assert (await wire.get("/1k")).value(b"x-backend") == b"B"


async def test_listeners_come_and_go(tmp_path: Path) -> None:
    async with backends("A") as (a,), running(tmp_path, web(a.address)) as proxy:
        both = web(a.address)
        both["listeners"].append(both["listeners"][0] | {"name": "second"})
        await proxy.change(both)
        second = await proxy.port("second")
        async with connect(second) as wire:
            assert (await wire.get("/1k")).status == 200
            await proxy.change(web(a.address))
            # What is open ends after what it carries; nothing new is accepted.
            assert await wire.ended()
        try:
            async with connect(second) as wire:
                assert await wire.ended()
        except ConnectionRefusedError:
            pass


async def test_a_request_keeps_its_snapshot_to_its_end(tmp_path: Path) -> None:
    async with (
        backends("AB") as (a, b),
        running(tmp_path, web(a.address)) as proxy,
        connect(await proxy.port()) as wire,
    ):
        await wire.send(b"GET /delay/300 HTTP/1.1\r\nHost: t\r\n\r\n")
        await proxy.change(web(b.address))
        assert (await wire.response()).value(b"x-backend") == b"A"
        assert (await wire.get("/1k")).value(b"x-backend") == b"B"


async def test_a_drain_finishes_what_runs(tmp_path: Path) -> None:
    async with backends("A") as (a,), running(tmp_path, web(a.address), stop=False) as proxy:
        port = await proxy.port()
        async with connect(port) as busy, connect(port) as idle:
            assert (await idle.get("/1k")).status == 200
            await busy.send(b"GET /delay/500 HTTP/1.1\r\nHost: t\r\n\r\n")
            while await proxy.metric("meshcore_listener_requests_active") < 1:
                pass
            proxy.process.send_signal(signal.SIGTERM)
            answer = await busy.response()
            assert answer.status == 200
            assert (answer.value(b"connection") or b"").lower() == b"close"
        with trio.fail_after(20):
            assert await proxy.process.wait() == 0


async def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    async with (
        backends("A") as (a,),
        running(tmp_path, web(a.address), stop=False) as proxy,
        connect(await proxy.port()) as busy,
    ):
        await busy.send(b"GET /delay/60000 HTTP/1.1\r\nHost: t\r\n\r\n")
        while await proxy.metric("meshcore_listener_requests_active") < 1:
            pass
        proxy.process.send_signal(signal.SIGTERM)
        await proxy.says("drain")
        proxy.process.send_signal(signal.SIGTERM)
        with trio.fail_after(5):
            await proxy.process.wait()
