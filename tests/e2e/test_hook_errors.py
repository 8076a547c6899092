"""Hooks that fail: what clients are told, what is counted, and what on_error makes of it."""

import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from meshcore import extension
from meshcore.config.sources.examine import examine
from tests.support import compiler
from tests.support.bridge import Speaker, asking
from tests.support.proxy import Document, Proxy, running, web
from tests.support.wire import Message

VERDICT = Path(__file__).parent.parent / "fixtures/abi/verdict.c"
POLICIES = """\
import meshcore
import trio


async def raises(request):
    raise LookupError("no plan")


async def babbles(request):
    return "yes"


async def dawdles(request):
    await trio.sleep_forever()


async def answers(request):
    return meshcore.Answer(200, "asked\\n")
"""
FUNCTIONS = ("raises", "babbles", "dawdles")
COUNTED = ("calls", "failures", "timeouts", "overflow", "denied_on_error", "allowed_on_error")

versions = pytest.mark.parametrize("version", [1, 2])


def document(folder: Path) -> Document:
    """A path for each function, and one below `/allowed` where its failure doesn't matter."""
    (folder / "policies.py").write_text(POLICIES)
    hooks: list[dict[str, object]] = [
        {"name": name, "python": f"policies:{name}", "timeout": "50ms"} for name in FUNCTIONS
    ]
    hooks.append({"name": "answers", "python": "policies:answers", "timeout": "20s"})
    flooded = {"name": "flooded", "python": "policies:dawdles", "timeout": "20s"}
    hooks.append(flooded | {"concurrency": 1, "max_pending": 0})
    names = [str(hook["name"]) for hook in hooks]
    routes = [_route(name, name, "deny") for name in names]
    routes += [_route(f"allowed/{name}", name, "allow") for name in names]
    given = web("127.0.0.1:1", routes=routes)
    given["hooks"] = hooks
    return given


def _route(path: str, hook: str, on_error: str) -> dict[str, object]:
    return {
        "match": {"path": {"exact": f"/{path}"}},
        "hooks": [{"name": hook, "on_error": on_error}],
        "direct_response": {"status": 204},
    }


async def told(speaker: Speaker, path: str) -> Message:
    await speaker.ask(f"GET /{path}")
    return (await speaker.response())[1]


async def counted(proxy: Proxy, hook: str) -> dict[str, float]:
    """What is counted of a hook, and isn't nothing."""
    found = {name: await proxy.metric(f"meshcore_hook_{name}_total", hook=hook) for name in COUNTED}
    return {name: value for name, value in found.items() if value}


@versions
async def test_a_failure_is_told_and_counted(tmp_path: Path, version: int) -> None:
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(running(tmp_path, document(tmp_path)))
        speaker = await stack.enter_async_context(asking(await proxy.port(), version))
        answers = [await told(speaker, name) for name in FUNCTIONS]
        assert [(answer.status, answer.error) for answer in answers] == [
            (500, b"hook_failed"),
            (500, b"hook_failed"),
            (503, b"hook_unavailable"),
        ]
        for name in FUNCTIONS:
            assert (await told(speaker, f"allowed/{name}")).status == 204
        answer = await told(speaker, "answers")
        assert (answer.status, answer.error, answer.body) == (200, None, b"asked\n")
        both = {"calls": 2, "denied_on_error": 1, "allowed_on_error": 1}
        assert await counted(proxy, "raises") == both | {"failures": 2}
        assert await counted(proxy, "babbles") == both | {"failures": 2}
        assert await counted(proxy, "dawdles") == both | {"timeouts": 2}
        assert await counted(proxy, "answers") == {"calls": 1}


async def test_a_flood_is_refused_at_once(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(running(tmp_path, document(tmp_path)))
        port = await proxy.port()
        first = await stack.enter_async_context(asking(port, 1))
        await first.ask("GET /flooded")
        while not await proxy.metric("meshcore_hook_calls_total", hook="flooded"):
            pass
        second = await stack.enter_async_context(asking(port, 1))
        answer = await told(second, "flooded")
        assert (answer.status, answer.error) == (503, b"hook_unavailable")
        assert (await told(second, "answers")).status == 200
        found = await counted(proxy, "flooded")
        assert (found["overflow"], found["denied_on_error"]) == (1, 1)


def native(folder: Path, **codes: str) -> Document:
    """Hooks of one filter, each with its code and a path of its own."""
    library = compiler.library(VERDICT, folder / "verdict.so")
    given = web("127.0.0.1:1", routes=[_route(name, name, "deny") for name in codes])
    given["hooks"] = [
        {"name": name, "native": library.name, "config": code} for name, code in codes.items()
    ]
    return given


async def seen(proxy: Proxy, *hooks: str) -> list[float]:
    """What the filter itself counts."""
    counter = "meshcore_hook_counter_total"
    return [await proxy.metric(counter, hook=hook, counter="seen") for hook in hooks]


@versions
async def test_a_filter_decides_fails_and_counts(tmp_path: Path, version: int) -> None:
    given = native(tmp_path, passes="0", refuses="418", breaks="7")
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(running(tmp_path, given))
        speaker = await stack.enter_async_context(asking(await proxy.port(), version))
        answers = [await told(speaker, name) for name in ("passes", "refuses", "breaks", "breaks")]
        assert [(answer.status, answer.error) for answer in answers] == [
            (204, None),
            (418, None),
            (500, b"hook_failed"),
            (500, b"hook_failed"),
        ]
        assert await seen(proxy, "passes", "breaks") == [1, 2]
        assert await counted(proxy, "breaks") == {"calls": 2, "failures": 2, "denied_on_error": 2}


async def test_a_hook_that_stays_as_it_was_keeps_what_it_counted(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        given = native(tmp_path, stays="0", changes="7")
        proxy = await stack.enter_async_context(running(tmp_path, given))
        speaker = await stack.enter_async_context(asking(await proxy.port(), 1))
        assert (await told(speaker, "stays")).status == 204
        assert (await told(speaker, "changes")).status == 500
        await proxy.change(native(tmp_path, stays="0", changes="00"))
        assert (await told(speaker, "stays")).status == 204
        assert (await told(speaker, "changes")).status == 204
        assert await seen(proxy, "stays", "changes") == [2, 1]


async def test_what_a_filter_refuses_has_its_place(tmp_path: Path) -> None:
    path = tmp_path / "proxy.yaml"
    path.write_text(json.dumps(native(tmp_path, it="many")))
    (problem,) = examine(str(path), extension.check).problems
    assert (problem.code, problem.path) == ("filter_unusable", "hooks[0].config")
    assert "write a code of at most three digits" in problem.message
