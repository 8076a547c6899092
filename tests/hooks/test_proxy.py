"""`meshcore proxy` with hooks in Python: whatever a function does, requests end in time."""

from __future__ import annotations

import json
import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
import trio

from tests.support.proxy import Proxy, running, web
from tests.support.upstream import Upstream, answering
from tests.support.wire import connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

POLICIES = """
    import time
    import meshcore
    import trio

    @meshcore.lifespan
    async def resources():
        yield {"plans": {"gold": 1}}

    @meshcore.hook(headers=["x-plan"])
    async def plan(request, plans):
        wanted = request.headers.get("x-plan")
        if wanted is None:
            return None
        if wanted not in plans:
            return meshcore.Answer(402, f"{wanted}?", {"x-why": "plan"})
        return meshcore.Continue(set={"x-rank": str(plans[wanted])}, remove=["x-plan"])

    @meshcore.hook(phase="response", headers=["x-upstream"])
    async def stamp(response):
        return meshcore.Continue(add={"x-seen": response.headers["x-upstream"]})

    async def elsewhere(request):
        return meshcore.RouteTo("other")

    async def raises(request):
        raise LookupError("no such plan")

    async def hangs(request):
        await trio.sleep_forever()

    async def nonsense(request):
        return "ok"

    async def blocks(request):
        time.sleep(0.8)

    async def slow(request):
        await trio.sleep(0.02)
"""


@dataclass
class Site:
    """A proxy whose routes have a hook each, by its name in the path."""

    proxy: Proxy
    port: int
    upstream: Upstream
    module: Path

    async def get(self, path: str, *fields: str) -> tuple[int, bytes | None, bytes]:
        """Status, local error and body of an answer."""
        async with connect(self.port) as wire:
            head = "\r\n".join([f"GET {path} HTTP/1.1", "host: test", *fields, "", ""])
            await wire.send(head.encode())
            answer = await wire.response()
        return answer.status, answer.error, answer.body

    async def count(self, name: str, hook: str) -> float:
        return await self.proxy.metric(f"meshcore_hook_{name}_total", hook=hook)


@asynccontextmanager
async def site(folder: Path, *hooks: str, **common: object) -> AsyncIterator[Site]:
    module = folder / "policies.py"
    module.write_text(dedent(POLICIES))
    async with answering() as upstream, answering("other") as other:
        routes: list[object] = [
            {"match": {"path": {"prefix": f"/{hook}"}}, "to": "web", "hooks": [hook]}
            for hook in hooks
        ]
        routes.append({"to": "web"})
        document = web(upstream.address, routes=routes)
        document["clusters"].append({"name": "other", "endpoints": [other.address]})
        document["hooks"] = [
            {"name": hook, "python": f"policies:{hook}", **common} for hook in hooks
        ]
        async with running(folder, document) as proxy:
            yield Site(proxy, await proxy.port(), upstream, module)


async def test_verdicts(tmp_path: Path) -> None:
    async with site(tmp_path, "plan", "stamp", "elsewhere", timeout="5s") as at:
        assert await at.get("/plan") == (200, None, b"a")
        assert await at.get("/plan", "x-plan: gold") == (200, None, b"a")
        seen = at.upstream.requests[-1]
        assert (seen.value(b"x-rank"), seen.value(b"x-plan")) == (b"1", None)
        assert (await at.get("/plan", "x-plan: tin"))[::2] == (402, b"tin?")
        assert await at.get("/elsewhere") == (200, None, b"other")
        assert await at.get("/stamp") == (200, None, b"a")
        assert await at.count("answered", "plan") == 1


@pytest.mark.parametrize("on_error", ["deny", "allow"])
async def test_faults(tmp_path: Path, on_error: str) -> None:
    hooks = ("raises", "hangs", "nonsense", "blocks")
    async with site(tmp_path, *hooks, on_error=on_error, timeout="400ms") as at:
        for hook in hooks:
            with trio.fail_after(5):
                status, error, body = await at.get(f"/{hook}")
            if on_error == "allow":
                assert (status, body) == (200, b"a"), hook
            else:
                assert status >= 500, hook
                assert error is not None
                assert error.startswith(b"hook_")
        for hook in ("hangs", "blocks"):
            assert await at.count("timeouts", hook) == 1
        for hook in ("raises", "nonsense"):
            assert await at.count("failures", hook) == 1
        await at.proxy.says("hook raises raised LookupError")
        await at.proxy.says('policies.py", line .* in raises')
        await at.proxy.says("hook nonsense: what it gave is no verdict: 'ok' is no Continue")


async def test_routes_without_hooks_do_not_wait_for_one_that_blocks(tmp_path: Path) -> None:
    answered = trio.Event()
    async with site(tmp_path, "blocks", timeout="5s") as at:

        async def ask() -> None:
            assert await at.get("/blocks") == (200, None, b"a")
            answered.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            for _ in range(5):
                assert await at.get("/plain") == (200, None, b"a")
            assert not answered.is_set()


async def test_a_flood_is_bounded_and_every_request_answered(tmp_path: Path) -> None:
    bounds = {"concurrency": 4, "max_pending": 8, "timeout": "2s"}
    answers: list[int] = []
    async with site(tmp_path, "slow", **bounds) as at:

        async def one() -> None:
            answers.append((await at.get("/slow"))[0])

        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                for _ in range(40):
                    nursery.start_soon(one)
        assert len(answers) == 40
        assert 12 <= answers.count(200) < 40
        overflow = await at.count("overflow", "slow")
        assert overflow == 40 - answers.count(200)
        assert await at.get("/slow") == (200, None, b"a")


async def test_questions_of_clients_that_left_hold_nothing(tmp_path: Path) -> None:
    bounds = {"concurrency": 2, "max_pending": 4, "timeout": "5s"}
    async with site(tmp_path, "slow", **bounds) as at:
        for _ in range(40):
            async with connect(at.port) as wire:
                await wire.send(b"GET /slow HTTP/1.1\r\nhost: test\r\n\r\n")
        # Those that were begun end within 20 ms each.
        await trio.sleep(0.5)
        async with trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(assert_ok, at)


async def assert_ok(at: Site) -> None:
    assert await at.get("/slow") == (200, None, b"a")


async def test_a_reload_under_load_loses_nothing_and_a_failed_one_changes_nothing(
    tmp_path: Path,
) -> None:
    statuses: list[int] = []
    async with site(tmp_path, "plan", timeout="5s") as at:
        ended = False

        async def ask() -> None:
            while not ended:
                statuses.append((await at.get("/plan", "x-plan: tin"))[0])
                await trio.sleep(0.01)  # all day long it would only slow the reloads down

        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(ask)
            at.module.write_text(dedent(POLICIES).replace("402", "403"))
            at.proxy.process.send_signal(signal.SIGHUP)
            await at.proxy.says("SIGHUP: hooks are loaded anew")
            assert await at.get("/plan", "x-plan: tin") == (403, None, b"tin?")
            # A change of the document alone leaves the code of hooks as it runs.
            words = len(at.proxy.words)
            document = json.loads(at.proxy.path.read_text())
            document["clusters"][0]["pool"] = {"max_idle": 3}
            await at.proxy.change(document)
            assert not any("anew" in line for line in at.proxy.words[words:])
            at.module.write_text("def :")
            # Without a signal: the file is watched.
            await at.proxy.says(r"policies.py:1: SyntaxError: .*; generation \d+ runs on")
            assert await at.get("/plan", "x-plan: tin") == (403, None, b"tin?")
            ended = True
        assert {402, 403} >= set(statuses)
        # The watch may have seen a change besides the signal.
        assert await at.count("reloads", "plan") >= 1
        assert await at.count("reload_failures", "plan") >= 1
