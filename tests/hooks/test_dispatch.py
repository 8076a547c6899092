"""Questions reach functions, and whatever a function does, its questions are answered."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from meshcore import Answer, Connection, Continue, Request, Response, RouteTo, hook
from meshcore.hooks.host import Host
from meshcore.hooks.spec import PythonHook
from tests.support.desk_in_memory import Desk

Check = Callable[[Request], Awaitable[object]]


@dataclass
class Asked:
    """Functions that are at work behind a desk."""

    desk: Desk
    host: Host
    told: list[str] = field(default_factory=list)


@asynccontextmanager
async def asked(concurrency: int = 64, **functions: object) -> AsyncIterator[Asked]:
    desk = Desk()
    told: list[str] = []
    host = Host(desk, functions, told.append)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(host.run)
            async with host.serving({name: PythonHook("", "", concurrency) for name in functions}):
                pass
            yield Asked(desk, host, told)
            nursery.cancel_scope.cancel()
    finally:
        desk.close()


async def answers(asked: Asked) -> list[str]:
    await wait_all_tasks_blocked()
    return asked.desk.kinds()


async def test_verdicts_travel() -> None:
    given: list[object] = [
        None,
        Continue(set={"X-A": "1"}, add={"x-b": b"2"}, remove=["x-c"], cache=False),
        Answer(403, "nö", {"x-why": "plan"}),
        RouteTo("canary", set={"x-a": "1"}),
    ]

    async def check(request: Request) -> object:
        return given.pop(0)

    async with asked(check=check) as at:
        for _ in range(4):
            at.desk.ask("check")
            await wait_all_tasks_blocked()
        edits = [("remove", "x-c", b""), ("set", "X-A", b"1"), ("add", "x-b", b"2")]
        assert at.desk.answers == [
            (1, "continue", None),
            (2, "continue", (0, "", edits, b"", False)),
            (3, "answer", (403, "", [("set", "x-why", b"plan")], "nö".encode(), True)),
            (4, "route", (0, "canary", [("set", "x-a", b"1")], b"", True)),
        ]


async def test_a_function_gets_what_it_names() -> None:
    seen: dict[str, object] = {}

    async def check(request: Request, connection: Connection, spare: int = 7) -> None:
        seen.update(
            path=(request.method, request.path, request.query),
            key=(request.headers["authorization"], request.headers.get("x"), len(request.headers)),
            all=request.headers.get_all("Authorization"),
            who=(connection.source, connection.identity),
            spare=spare,
        )

    @hook(phase="response")
    async def look(response: Response, request: Request) -> None:
        seen.update(status=response.status, type=response.headers["content-type"])
        seen.update(of_request=dict(request.headers))

    async with asked(check=check, look=look) as at:
        at.desk.ask("check", headers=[(b"Authorization", b"k\xe9y"), (b"authorization", b"b")])
        at.desk.ask("look", phase="response", status=200, headers=[(b"Content-Type", b"text")])
        assert await answers(at) == ["continue", "continue"]
    assert seen == {
        "path": ("GET", "/p", "q=1"),
        "key": ("k\xe9y", None, 1),
        "all": ["k\xe9y", "b"],
        "who": ("10.0.0.1:5", None),
        "spare": 7,
        "status": 200,
        "type": "text",
        "of_request": {},
    }


async def test_what_raises_is_answered_and_told_once_a_minute(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def check(request: Request) -> None:
        message = "no such plan"
        raise LookupError(message)

    async with asked(check=check) as at:
        for _ in range(3):
            at.desk.ask("check")
        assert await answers(at) == ["raised"] * 3
        (told,) = at.told
        assert "hook check raised LookupError" in told
        assert "test_dispatch.py" in told
        await trio.sleep(61)
        at.desk.ask("check")
        assert await answers(at) == ["raised"] * 4
        assert len(at.told) == 2


@pytest.mark.parametrize(
    "error", [SystemExit, BaseExceptionGroup("two", [SystemExit(), OSError()])]
)
async def test_nothing_that_a_function_raises_ends_the_dispatcher(
    error: BaseException | type[BaseException],
) -> None:
    async def check(request: Request) -> None:
        raise error

    async with asked(check=check) as at:
        for _ in range(2):
            at.desk.ask("check")
            await wait_all_tasks_blocked()
        assert at.desk.kinds() == ["raised"] * 2


async def test_what_hangs_is_cancelled_at_its_deadline(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def check(request: Request) -> None:
        await trio.sleep_forever()

    async with asked(check=check) as at:
        at.desk.ask("check", left=0.1)
        at.desk.ask("check", left=0.3)
        await trio.sleep(0.2)
        assert at.desk.answers == [(1, "timeout", None)]
        await trio.sleep(0.2)
        assert at.desk.kinds() == ["timeout"] * 2


async def test_a_deadline_is_one_call_s_alone(autojump_clock: trio.testing.MockClock) -> None:
    async def check(request: Request) -> None:
        await trio.sleep(0.08)

    async with asked(check=check) as at:
        at.desk.ask("check", left=0.1)
        await trio.sleep(0.09)
        at.desk.ask("check", left=5)
        await trio.sleep(0.09)
        at.desk.ask("check", left=0.01)
        at.desk.ask("check", left=5)
        await trio.sleep(0.09)
        assert at.desk.kinds() == ["continue", "continue", "timeout", "continue"]


async def test_an_error_on_the_way_out_of_a_cancelled_call_is_its_own(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def check(request: Request) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise OSError

    async def group(request: Request) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(trio.sleep_forever)

    async with asked(check=check, group=group) as at:
        at.desk.ask("check", left=0.1)
        at.desk.ask("group", left=0.1)
        await trio.sleep(0.2)
        assert at.desk.kinds() == ["raised", "timeout"]


async def test_a_question_that_is_over_is_not_called_for() -> None:
    calls = 0

    async def check(request: Request) -> None:
        nonlocal calls
        calls += 1
        time.sleep(0.05)  # noqa: ASYNC251  # what it must not do is the test

    async with asked(concurrency=1, check=check) as at:
        for _ in range(3):
            at.desk.ask("check", left=0.02)
        await wait_all_tasks_blocked()
        assert at.desk.kinds()[1:] == ["timeout"] * 2
        assert calls == 1


@pytest.mark.parametrize(
    "nonsense",
    [
        "ok",
        True,
        Answer,
        Answer(99),
        Answer("200"),  # type: ignore[arg-type]
        Continue(set={"x": "a\nb"}),
        Continue(set={"x y": "a"}),
        Continue(set={"x": 7}),  # type: ignore[dict-item]
        Continue(set=[("x", "y")]),  # type: ignore[arg-type]
        Continue(remove="x-a"),
        RouteTo(7),  # type: ignore[arg-type]
    ],
    ids=repr,
)
async def test_nonsense_is_told_apart(nonsense: object) -> None:
    async def check(request: Request) -> object:
        return nonsense

    async with asked(check=check) as at:
        at.desk.ask("check")
        at.desk.ask("check")
        assert await answers(at) == ["nonsense"] * 2
        (told,) = at.told
        assert told.startswith("hook check: what it gave is no verdict:")


async def test_no_more_calls_than_may_be_at_once_and_none_is_lost() -> None:
    now, most, calls = 0, 0, 0
    done = trio.Event()

    async def check(request: Request) -> None:
        nonlocal now, most, calls
        now += 1
        most = max(most, now)
        await trio.sleep(0.001)
        now -= 1
        calls += 1
        if calls == 400:
            done.set()

    async with asked(concurrency=4, check=check) as at:
        for _ in range(400):
            at.desk.ask("check", left=30)
        with trio.fail_after(10):
            await done.wait()
        await wait_all_tasks_blocked()
        assert most == 4
        assert at.desk.kinds() == ["continue"] * 400


async def test_a_hook_without_a_function_is_answered_at_once() -> None:
    async with asked() as at:
        at.desk.ask("other")
        assert await answers(at) == ["gone"]


async def test_calls_do_not_see_what_others_left_in_their_context() -> None:
    plan: ContextVar[object] = ContextVar("plan", default=0)
    seen: list[object] = []

    class Odd:
        def __eq__(self, other: object) -> bool:
            raise TypeError

        def __hash__(self) -> int:
            return 0

    async def check(request: Request) -> None:
        seen.append(plan.get())
        plan.set(Odd())

    async with asked(check=check) as at:
        for _ in range(3):
            at.desk.ask("check")
            await wait_all_tasks_blocked()
        at.desk.ask("check")
        at.desk.ask("check")
        assert await answers(at) == ["continue"] * 5
    assert seen == [0] * 5


async def test_one_that_waits_keeps_no_other_from_being_answered() -> None:
    gates = [trio.Event() for _ in range(4)]
    calls = iter(gates)

    async def check(request: Request) -> None:
        await next(calls).wait()

    async def quick(request: Request) -> None: ...

    async with asked(check=check, quick=quick) as at:
        for _ in gates:
            at.desk.ask("check")
            await wait_all_tasks_blocked()
            at.desk.ask("quick")
            at.desk.ask("quick")
            await wait_all_tasks_blocked()
        assert at.desk.kinds() == ["continue"] * 8
        for gate in gates:
            gate.set()
        assert await answers(at) == ["continue"] * 12
