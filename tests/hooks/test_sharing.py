"""Equal questions at the same time are asked once, where their verdict may be remembered."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import trio

import meshcore
from meshcore import Answer, Engine, HookError
from tests.border.test_engine import port
from tests.hooks.test_embedded import ask, document
from tests.support.upstream import answering
from tests.support.wire import connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from meshcore import Request

AT_ONCE = 20


class Plans:
    """Functions that answer when they may."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go = trio.Event()

    async def decide(self, request: Request, *, kept: bool = True) -> Answer:
        key = request.headers["x-key"]
        self.asked.append(key)
        await self.go.wait()
        if key == "bad":
            raise HookError(key, "no such plan")
        return Answer(200, key, cache=kept)


@asynccontextmanager
async def engine(plans: Plans, *, kept: bool) -> AsyncIterator[tuple[int, Engine]]:
    @meshcore.hook(headers=["x-key"], cache=["header.x-key"], timeout=10)
    async def plan(request: Request) -> Answer:
        return await plans.decide(request, kept=kept)

    async with answering() as upstream:
        config = document(upstream.address, "plan")
        # Verdicts are shared by the requests of one worker.
        async with Engine(config, workers=1, hooks={"plan": plan}) as running:
            yield port(running), running


async def until_waiting(running: Engine, count: int, plans: Plans, asked: int) -> None:
    """Wait until so many requests have met the hook, and it was asked so often."""
    with trio.fail_after(10):
        while len(plans.asked) < asked:
            await trio.lowlevel.checkpoint()
        while running.stats()["hooks"].get("plan", {}).get("calls_total", 0) < count:
            await trio.lowlevel.checkpoint()


async def ask_often(at: int, key: str, answers: list[tuple[int, bytes]]) -> None:
    async with trio.open_nursery() as nursery:

        async def one() -> None:
            answers.append(await ask(at, "/plan", f"x-key: {key}"))

        for _ in range(AT_ONCE):
            nursery.start_soon(one)


@pytest.mark.parametrize(
    ("key", "kept", "asked", "status"),
    [("a", True, 1, 200), ("a", False, AT_ONCE, 200), ("bad", True, AT_ONCE, 500)],
)
async def test_many_wait_for_one(key: str, kept: bool, asked: int, status: int) -> None:
    plans, answers = Plans(), list[tuple[int, bytes]]()
    async with engine(plans, kept=kept) as (at, running), trio.open_nursery() as nursery:
        nursery.start_soon(ask_often, at, key, answers)
        await until_waiting(running, AT_ONCE, plans, 1)
        assert plans.asked == [key]
        plans.go.set()
    assert len(plans.asked) == asked
    assert [got for got, _ in answers] == [status] * AT_ONCE


async def test_other_questions_do_not_wait() -> None:
    plans, answers = Plans(), list[tuple[int, bytes]]()
    async with engine(plans, kept=True) as (at, running), trio.open_nursery() as nursery:
        for key in "abc":
            nursery.start_soon(ask_often, at, key, answers)
        await until_waiting(running, 3 * AT_ONCE, plans, 3)
        assert sorted(plans.asked) == ["a", "b", "c"]
        plans.go.set()
    assert sorted({body for _, body in answers}) == [b"a", b"b", b"c"]
    assert len(answers) == 3 * AT_ONCE


async def test_when_the_client_leaves_whose_question_it_was_another_one_asks() -> None:
    plans, answers = Plans(), list[tuple[int, bytes]]()
    async with engine(plans, kept=True) as (at, running), trio.open_nursery() as nursery:
        async with connect(at) as wire:
            await wire.send(b"GET /plan HTTP/1.1\r\nhost: test\r\nx-key: a\r\n\r\n")
            await until_waiting(running, 1, plans, 1)
            nursery.start_soon(ask_often, at, "a", answers)
            await until_waiting(running, 1 + AT_ONCE, plans, 1)
        await until_waiting(running, 1 + AT_ONCE, plans, 2)
        plans.go.set()
    assert plans.asked == ["a", "a"]
    assert answers == [(200, b"a")] * AT_ONCE
