"""Stages of overload: idle connections end, then the low are refused, the others, and all."""

import json
from pathlib import Path

import pytest
import trio

from tests.support.bridge import Http2, asking
from tests.support.proxy import Document, Proxy, running, web
from tests.support.slots import slots
from tests.support.upstream import answering
from tests.support.wire import Ended, connect

PATIENCE = 10.0
REFUSED = (Ended, trio.BrokenResourceError, ConnectionError)
STAGES = ("close_idle", "refuse_low", "refuse_default", "refuse_all")


async def reached(proxy: Proxy, stage: str) -> None:
    """Wait until the process is in this stage."""
    with trio.fail_after(PATIENCE):
        while await proxy.metric("meshcore_engine_overload_stage") != STAGES.index(stage) + 1:
            pass


versions = pytest.mark.parametrize("version", [1, 2])


def bounded(address: str, stage: str | None, **bounds: object) -> Document:
    """A document whose process is in this stage by its memory, which is never below the bound."""
    given = web(address, routes=[{"name": "r", "to": "web", "priority": {"header": "x-priority"}}])
    reached = STAGES.index(stage) if stage is not None else -1
    # 1 MiB is less than any process has, so the fullest is above all percentages.
    stages = {name: 0 if at <= reached else 100 for at, name in enumerate(STAGES)}
    memory = "1TiB" if reached < len(STAGES) - 1 else "1MiB"
    given["overload"] = {"max_memory": memory, "stages": stages, **bounds}
    return given


@pytest.mark.parametrize(
    ("stage", "version", "statuses"),
    [("refuse_low", 1, [503, 200, 200]), ("refuse_default", 2, [503, 503, 200])],
)
async def test_the_low_are_refused_first(
    tmp_path: Path, version: int, stage: str, statuses: list[int]
) -> None:
    log = tmp_path / "log"
    async with answering() as server:
        given = bounded(server.address, stage)
        given["listeners"][0]["access_log"] = {"path": str(log), "format": "json"}
        async with running(tmp_path, given) as proxy:
            await reached(proxy, stage)
            for level, status in zip(("low", "default", "high"), statuses, strict=True):
                async with asking(await proxy.port(), version) as speaker:
                    await speaker.ask("GET /", (b"x-priority", level.encode()))
                    _, answer = await speaker.response()
                    assert (level, answer.status) == (level, status)
                    if status == 503:
                        assert answer.error == b"overload"
                        assert answer.value(b"retry-after") == b"1"
                        closes = b"close" if version == 1 else None
                        assert answer.value(b"connection") == closes
            refused = statuses.count(503)
            assert await proxy.metric("meshcore_worker_shed_requests_total") == refused
            low = await proxy.metric("meshcore_worker_shed_requests_total", priority="low")
            assert low == min(refused, 1)
    flags = [json.loads(line)["response_flags"] for line in log.read_text().splitlines()]
    assert flags == ["OM" if status == 503 else None for status in statuses]


async def test_everything_new_is_refused_at_last_and_taken_again(tmp_path: Path) -> None:
    async with (
        answering() as server,
        running(tmp_path, bounded(server.address, "refuse_all")) as proxy,
    ):
        await reached(proxy, "refuse_all")
        with pytest.raises(REFUSED):
            async with connect(await proxy.port()) as late:
                await late.get("/")
        assert await proxy.metric("meshcore_worker_shed_connections_total") > 0
        assert await proxy.metric("meshcore_overload_pressure_percent", monitor="memory") > 100
        # A change of the document is the end of it.
        await proxy.change(web(server.address))
        with trio.fail_after(PATIENCE):
            while await proxy.metric("meshcore_overload_pressure_percent") > 0:
                pass
        async with connect(await proxy.port()) as wire:
            assert (await wire.get("/")).status == 200


@versions
async def test_idle_connections_make_room(tmp_path: Path, version: int) -> None:
    async with (
        answering() as server,
        running(tmp_path, bounded(server.address, "close_idle")) as proxy,
    ):
        await reached(proxy, "close_idle")
        async with asking(await proxy.port(), version) as speaker:
            await speaker.ask("GET /")
            assert (await speaker.response())[1].status == 200
            with trio.fail_after(PATIENCE):
                if isinstance(speaker, Http2):
                    await speaker.frames.goaway()
                else:
                    assert await speaker.wire.ended()


async def test_active_requests_are_counted(tmp_path: Path) -> None:
    """Four of four are let in and end in peace; meanwhile all else is refused."""
    async with slots(8, 3.0) as server:
        given = bounded(server.address, None, max_active_requests=4)
        given["overload"]["max_memory"] = 0
        statuses: list[int] = []

        async def ask(port: int) -> None:
            async with connect(port) as wire:
                statuses.append((await wire.get("/")).status)

        async with running(tmp_path, given) as proxy, trio.open_nursery() as nursery:
            port = await proxy.port()
            async with connect(port) as early, connect(port) as idle:
                for _ in range(4):
                    nursery.start_soon(ask, port)
                await proxy.says("active_requests at 100 % of its bound: refuses everything new")
                with pytest.raises(REFUSED):
                    await ask(port)
                refused = await early.get("/", "a", "x-priority: high")
                assert (refused.status, refused.value(b"connection")) == (503, b"close")
                with trio.fail_after(PATIENCE):
                    # It was idle before that began.
                    assert await idle.ended()
            await proxy.says("at 0 % of its bound: refuses nothing")
            server.seconds = 0
            await ask(port)
        assert statuses == [200] * 5


async def test_tcp_connections_are_refused_with_the_default(tmp_path: Path) -> None:
    async with answering() as server:
        given = bounded(server.address, "refuse_default")
        given["listeners"] = [
            {"name": "web", "address": "127.0.0.1:0", "protocol": "tcp", "to": "web"}
        ]
        async with running(tmp_path, given) as proxy:
            await reached(proxy, "refuse_default")
            with pytest.raises(REFUSED):
                async with connect(await proxy.port()) as wire:
                    await wire.get("/")
            name = "meshcore_listener_local_replies_total"
            assert await proxy.metric(name, error="overload") == 1
