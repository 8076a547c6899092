"""The bridge between completions and trio tasks, over an engine in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
import trio.testing

from meshcore.bridge import BATCH, Bridge, Payload
from meshcore.errors import EngineStopped
from tests.support.engine_in_memory import Engine


@asynccontextmanager
async def bridged(engine: Engine) -> AsyncIterator[Bridge]:
    """A bridge that runs."""
    bridge = Bridge(engine, lambda _kind, _payload: None)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(bridge.run)
            yield bridge
            nursery.cancel_scope.cancel()
    finally:
        engine.stop()


async def test_a_call_returns_its_completion() -> None:
    engine = Engine()
    async with bridged(engine) as bridge:
        assert await bridge.call(partial(engine.apply, b"{}", [])) == ("applied", 1)
        assert await bridge.call(partial(engine.drain, 1, 0)) == ("drained", None)


async def test_completions_find_their_own_callers() -> None:
    engine = Engine(hold=True)
    found: dict[int, tuple[str, Payload]] = {}

    async def call(bridge: Bridge, number: int) -> None:
        found[number] = await bridge.call(partial(engine.apply, b"{}", []))

    async with bridged(engine) as bridge, trio.open_nursery() as nursery:
        for number in range(3 * BATCH):
            nursery.start_soon(call, bridge, number)
        await trio.testing.wait_all_tasks_blocked()
        engine.release()
    generations = sorted(str(payload) for _, payload in found.values())
    assert generations == sorted(map(str, range(1, 3 * BATCH + 1)))


async def test_a_cancelled_call_is_forgotten_and_its_completion_ignored() -> None:
    engine = Engine(hold=True)
    async with bridged(engine) as bridge:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bridge.call, partial(engine.apply, b"{}", []))
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert engine.cancelled == [1]
        engine.release()
        engine.hold = False
        assert await bridge.call(partial(engine.apply, b"{}", [])) == ("applied", 2)


async def test_a_cancelled_scope_starts_nothing() -> None:
    engine = Engine()
    async with bridged(engine) as bridge:
        with trio.CancelScope() as scope:
            scope.cancel()
            await bridge.call(partial(engine.apply, b"{}", []))
        assert scope.cancelled_caught
        assert engine.deltas == []


async def test_waiting_calls_end_with_the_bridge() -> None:
    engine = Engine(hold=True)
    bridge = Bridge(engine, lambda _kind, _payload: None)
    stopped: list[EngineStopped] = []

    async def call() -> None:
        try:
            await bridge.call(partial(engine.apply, b"{}", []))
        except EngineStopped as error:
            stopped.append(error)

    async with trio.open_nursery() as nursery:
        running = trio.CancelScope()

        async def run(task_status: trio.TaskStatus[None]) -> None:
            with running:
                await bridge.run(task_status=task_status)

        await nursery.start(run)
        nursery.start_soon(call)
        await trio.testing.wait_all_tasks_blocked()
        running.cancel()
    assert len(stopped) == 1
    with pytest.raises(EngineStopped):
        await bridge.call(partial(engine.apply, b"{}", []))
    engine.stop()


async def test_what_nobody_asked_for_is_passed_on() -> None:
    engine = Engine()
    heard: list[tuple[str, Payload]] = []
    bridge = Bridge(engine, lambda kind, payload: heard.append((kind, payload)))
    async with trio.open_nursery() as nursery:
        await nursery.start(bridge.run)
        engine.emit(0, "notice", b"warning: x")
        engine.emit(0, "quit")
        await bridge.call(partial(engine.apply, b"{}", []))
        nursery.cancel_scope.cancel()
    engine.stop()
    assert heard == [("notice", b"warning: x"), ("quit", None)]
