"""A call's first step is taken in the task that leads; whatever it begins there, it can end."""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import TYPE_CHECKING

import trio

from meshcore import Answer
from tests.hooks.test_dispatch import answers, asked

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from meshcore import Request


async def test_what_a_first_step_opened_is_closed_by_a_later_one() -> None:
    done: list[str] = []

    async def numbers() -> AsyncGenerator[int, None]:
        try:
            yield 1
            await trio.lowlevel.checkpoint()
            yield 2
        finally:
            done.append("numbers")

    async def check(request: Request) -> Answer:
        total = 0
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                async with aclosing(numbers()) as found:
                    async for number in found:
                        total += number
                scope.cancel()
        assert scope.cancelled_caught
        done.append(str(total))
        return Answer(200)

    async def quick(request: Request) -> None: ...

    async with asked(check=check, quick=quick) as at:
        for _ in range(3):
            for name in ("check", "quick"):
                at.desk.ask(name)
        with trio.fail_after(5):
            while len(at.desk.answers) < 6:
                await trio.lowlevel.checkpoint()
        assert await answers(at) == ["answer", "continue"] * 3
    assert sorted(done) == ["3"] * 3 + ["numbers"] * 3


async def test_what_waited_too_long_behind_one_that_blocks_is_not_called() -> None:
    calls = 0

    async def check(request: Request) -> None:
        nonlocal calls
        calls += 1
        time.sleep(0.05)  # noqa: ASYNC251  # that it blocks is the test

    async with asked(check=check) as at:
        at.desk.ask("check", left=10)
        for _ in range(5):
            at.desk.ask("check", left=0.01)
        at.desk.ask("check", left=10)
        assert await answers(at) == ["continue", *["timeout"] * 5, "continue"]
    assert calls == 2


async def test_more_than_a_batch_that_all_have_to_wait() -> None:
    async def check(request: Request) -> None:
        await trio.lowlevel.checkpoint()

    async with asked(concurrency=1_000, check=check) as at:
        for _ in range(300):
            at.desk.ask("check")
        assert await answers(at) == ["continue"] * 300
