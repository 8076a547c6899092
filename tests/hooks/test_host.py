"""Modules are loaded, live, are renewed beside what runs, and end after their functions' calls."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from meshcore import EngineError, HookError, HookReloadError, lifespan
from meshcore.hooks.host import Host
from meshcore.hooks.spec import PythonHook
from tests.support.desk_in_memory import Desk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from meshcore import Request

EVENTS: list[str] = []
# Modules of tests note here what happens to them.
POLICIES = """
    import meshcore, trio
    from tests.hooks.test_host import EVENTS
    from {beside} import VERSION

    @meshcore.lifespan
    async def resources(nursery):
        EVENTS.append(f"start {{VERSION}}")
        yield {{"plans": VERSION, "gate": trio.Event()}}
        await trio.sleep(0)
        EVENTS.append(f"stop {{VERSION}}")

    @meshcore.hook(headers=["x-plan"])
    async def check(request, plans):
        return meshcore.Answer(200, plans)

    async def wait(request, plans, gate):
        EVENTS.append(f"call {{plans}}")
        await gate.wait()

    async def open(gate):
        gate.set()
"""


class Policies:
    """A module of a user's, with another one beside it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.write("1")

    def write(self, version: str, policies: str = POLICIES) -> None:
        beside = f"{self.name}_beside"
        (self.folder / f"{self.name}.py").write_text(dedent(policies).format(beside=beside))
        (self.folder / f"{beside}.py").write_text(f"VERSION = {version!r}\n")

    def hook(self, function: str) -> PythonHook:
        return PythonHook(f"{self.name}:{function}", str(self.folder))

    def hooks(self, *functions: str) -> dict[str, PythonHook]:
        return {function: self.hook(function) for function in functions}


@pytest.fixture
def policies(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Policies]:
    before = set(sys.modules)
    EVENTS.clear()
    # Another name for each test: modules are the process's.
    yield Policies(tmp_path, f"policies_{abs(hash(request.node.name))}")
    sys.path.remove(str(tmp_path))
    for name in set(sys.modules) - before:
        del sys.modules[name]


@asynccontextmanager
async def hosted(**given: object) -> AsyncIterator[tuple[Desk, Host]]:
    desk = Desk()
    host = Host(desk, given, EVENTS.append)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(host.run)
            yield desk, host
            nursery.cancel_scope.cancel()
    finally:
        desk.close()


async def serve(host: Host, hooks: dict[str, PythonHook], *, anew: bool = False) -> None:
    async with host.serving(hooks, (lambda _: hooks) if anew else None):
        pass


async def body(desk: Desk, hook: str = "check") -> bytes:
    """What a hook answers now."""
    ident = desk.ask(hook)
    await wait_all_tasks_blocked()
    (found,) = (detail for known, _, detail in desk.answers if known == ident)
    return found[3] if found is not None else b""


async def test_a_lifespan_starts_once_before_questions_and_stops_in_order(
    policies: Policies,
) -> None:
    async with hosted() as (desk, host), host.serving(policies.hooks("check", "wait", "open")):
        assert EVENTS == ["start 1"]
        assert await body(desk) == b"1"
    assert EVENTS == ["start 1", "stop 1"]


async def test_a_reload_takes_the_files_beside_and_lets_calls_end(policies: Policies) -> None:
    async with hosted() as (desk, host):
        await serve(host, policies.hooks("check", "wait", "open"))
        old = policies.folder / f"{policies.name}_beside.py"
        assert [str(policies.folder / f"{policies.name}.py"), str(old)] == host.files
        gate = sys.modules[policies.name]
        waits = desk.ask("wait", left=30)
        await wait_all_tasks_blocked()
        policies.write("2")
        await host.reload()
        assert sys.modules[policies.name] is not gate
        assert await body(desk) == b"2"
        assert EVENTS == ["start 1", "call 1", "start 2"]
        assert waits not in [ident for ident, _, _ in desk.answers]
    assert {*EVENTS[3:]} == {"stop 1", "stop 2"}
    assert sorted(desk.reloads) == [("check", True), ("open", True), ("wait", True)]


async def test_an_old_lifespan_ends_with_its_last_call(policies: Policies) -> None:
    late = POLICIES.replace("async def open(gate)", "async def open(request, late=[])")
    async with hosted() as (desk, host):
        await serve(host, policies.hooks("wait"))
        desk.ask("wait", left=0.2)
        await wait_all_tasks_blocked()
        policies.write("2", late)
        await host.reload()
        await wait_all_tasks_blocked()
        assert EVENTS == ["start 1", "call 1", "start 2"]
        await trio.sleep(0.3)
        assert desk.kinds() == ["timeout"]
        await wait_all_tasks_blocked()
        assert "stop 1" in EVENTS
        assert "stop 2" not in EVENTS


BROKEN = {
    "syntax": ("def :", r"policies_\d+\.py:1: SyntaxError"),
    "raises": ("\n\n1 / 0", r"policies_\d+\.py:3: ZeroDivisionError: division by zero"),
    "absent": ("", r"has no function check"),
    "module": ("import no_such_module", r"policies_\d+\.py:1: ModuleNotFoundError: .*no_such"),
    "sync": ("def check(request): pass", r"policies_\d+\.py:1: is not an async function"),
    "unknown": ("async def check(request, plan): pass", r"nobody gives the argument 'plan'"),
    "phase": ("async def check(response): pass", r"no 'response' in the phase request"),
    "position": ("async def check(request, /): pass", r"by name, and 'request' has none"),
    "declared": (
        "import meshcore\n@meshcore.hook(phase='later')\nasync def check(request): pass",
        r"policies_\d+\.py:2: ValueError: phase 'later' is none of",
    ),
    "yields": (
        POLICIES.replace('"plans": VERSION', '"plan": VERSION'),
        r"nobody gives the argument 'plans'; the lifespan yields gate, plan",
    ),
    "starts": (POLICIES.replace("yield", "1 / 0; yield"), r"lifespan didn't start: ZeroDivision"),
    "no yield": (
        POLICIES.replace("yield {{", "return {{"),
        r"lifespan is not an async generator function",
    ),
    "mapping": (POLICIES.replace("yield {{", "yield 7 #"), r"it yields int, and not a mapping"),
}


@pytest.mark.parametrize("fault", BROKEN)
async def test_a_module_that_fails_to_reload_changes_nothing(
    policies: Policies, fault: str
) -> None:
    text, words = BROKEN[fault]
    async with hosted() as (desk, host):
        await serve(host, policies.hooks("check"))
        before = sys.modules[policies.name], sys.modules[f"{policies.name}_beside"]
        policies.write("2", text)
        with pytest.raises(HookReloadError, match=words) as raised:
            await host.reload()
        assert raised.value.hook == "check"
        assert await body(desk) == b"1"
        after = sys.modules[policies.name], sys.modules[f"{policies.name}_beside"]
        assert after == before
        policies.write("3")
        await host.reload()
        assert await body(desk) == b"3"
    assert desk.reloads == [("check", False), ("check", True)]


async def test_a_change_that_the_engine_refuses_takes_its_hooks_with_it(
    policies: Policies,
) -> None:
    async with hosted() as (desk, host):
        await serve(host, policies.hooks("check"))
        with pytest.raises(EngineError, match="refused"):
            async with host.serving(policies.hooks("check", "open")):
                raise EngineError("refused")
        desk.ask("open")
        await wait_all_tasks_blocked()
        assert desk.kinds() == ["gone"]
        await serve(host, {})
        desk.ask("check")
        await wait_all_tasks_blocked()
        assert desk.kinds() == ["gone"] * 2
        assert EVENTS == ["start 1", "stop 1"]


async def test_another_function_behind_a_hook_is_a_reload_of_it(policies: Policies) -> None:
    async with hosted() as (desk, host):
        await serve(host, policies.hooks("check"))
        await serve(host, {"check": policies.hook("open")})
        assert await body(desk) == b""
        await serve(host, {"check": policies.hook("open")})
    assert desk.reloads == [("check", True)]


async def test_what_cannot_be_had_is_told_with_its_place(policies: Policies) -> None:
    cases = {
        "no_such_module:check": "there is no module no_such_module where Python searches, last in",
        f"{policies.name}:chek": f"module {policies.name} has no function chek",
        "policies.check": "is not of the form module:function",
    }
    async with hosted() as (_, host):
        for ref, words in cases.items():
            with pytest.raises(HookError, match=words):
                await serve(host, {"check": PythonHook(ref, str(policies.folder))})


async def test_a_task_of_the_module_that_fails_takes_its_hooks_along(policies: Policies) -> None:
    policies.write(
        "1",
        """
        import meshcore
        async def fail():
            raise OSError("lost")
        async def check(request, nursery):
            nursery.start_soon(fail)
        # {beside}
        """,
    )
    async with hosted() as (desk, host):
        await serve(host, policies.hooks("check"))
        for _ in range(2):
            desk.ask("check")
            await wait_all_tasks_blocked()
        assert desk.kinds() == ["continue", "gone"]
        assert [f"module {policies.name} has ended, and its hooks fail: OSError: lost"] == EVENTS
        await host.reload()
        assert await body(desk) == b""


@lifespan
async def given_life() -> AsyncIterator[dict[str, object]]:
    EVENTS.append("start")
    yield {"answer": 42}
    EVENTS.append("stop")


async def given_check(request: Request, answer: int) -> None:
    EVENTS.append(f"asked {answer}")


async def test_a_function_that_is_given_has_the_life_of_its_module_and_stays() -> None:
    EVENTS.clear()
    async with hosted(check=given_check) as (desk, host):
        await serve(host, {"check": PythonHook("")})
        await body(desk)
        await host.reload()
        assert host.files == []
        await body(desk)
    assert EVENTS == ["start", "asked 42", "asked 42", "stop"]
