"""An engine in a program whose own functions are hooks."""

from __future__ import annotations

from contextlib import asynccontextmanager
from http.client import HTTPConnection
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
import trio

import meshcore
from meshcore import (
    Answer,
    Config,
    ConfigError,
    Connection,
    Continue,
    Engine,
    HookError,
    HookReloadError,
)
from tests.border.test_engine import port
from tests.support.upstream import answering
from tests.support.wire import Ended, connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from meshcore import Request, Response

EVENTS: list[str] = []
# Set by functions that run when no answer says so.
ARRIVED: dict[str, trio.Event] = {}


@meshcore.lifespan
async def resources(nursery: trio.Nursery) -> AsyncIterator[dict[str, object]]:
    EVENTS.append("start")
    yield {"greeting": "hello"}
    EVENTS.append("stop")


async def greet(request: Request, connection: Connection, greeting: str) -> Answer:
    EVENTS.append(f"{request.method} {connection.listener}")
    return Answer(200, f"{greeting} {request.path}?{request.query}")


async def hang(request: Request) -> None:
    EVENTS.append("hang")
    ARRIVED["hang"].set()
    try:
        await trio.sleep_forever()
    finally:
        EVENTS.append("cancelled")


@meshcore.hook(phase="log")
async def note(response: Response) -> None:
    EVENTS.append(f"{response.method} {response.path} {response.route} {response.status}")
    ARRIVED["note"].set()


@meshcore.hook(headers=["x-key"], cache=["header.x-key"], ttl=60)
async def key(request: Request) -> Continue:
    EVENTS.append(f"key {request.headers['x-key']}")
    return Continue(set={"x-who": request.headers["x-key"].upper()})


@meshcore.hook(body=16)
async def measure(request: Request) -> Answer:
    return Answer(200, repr(request.body))


@meshcore.hook(phase="connection")
async def refuse(connection: Connection) -> Answer:
    return Answer(403)


def document(endpoint: str, *hooks: str, of_listener: str = "") -> Config:
    """Each hook on a route that begins with its name, and one on the listener."""
    routes = ", ".join(
        f"{{match: {{path: {{prefix: /{hook}}}}}, to: api, hooks: [{hook}]}}" for hook in hooks
    )
    return meshcore.loads(
        f"listeners: [{{name: web, address: 127.0.0.1:0, hooks: [{of_listener}],"
        f" routes: [{routes or '{to: api}'}]}}]\n"
        f"clusters: [{{name: api, endpoints: [{endpoint}]}}]\n",
        hooks=[*hooks, of_listener],
    )


async def ask(at: int, path: str, *fields: str, body: bytes = b"") -> tuple[int, bytes]:
    async with connect(at) as wire:
        length = f"content-length: {len(body)}"
        head = "\r\n".join([f"POST {path} HTTP/1.1", "host: test", length, *fields, "", ""])
        await wire.send(head.encode() + body)
        answer = await wire.response("POST")
    return answer.status, answer.body


@asynccontextmanager
async def engine(*functions: object) -> AsyncIterator[int]:
    EVENTS.clear()
    ARRIVED.update(hang=trio.Event(), note=trio.Event())
    given = {str(getattr(one, "__name__", "")): one for one in functions}
    async with answering() as upstream:
        config = document(upstream.address, *given)
        async with Engine(config, hooks=given) as running:
            yield port(running)


async def test_functions_of_the_program_answer() -> None:
    async with engine(greet) as at:
        assert await ask(at, "/greet?q=1") == (200, b"hello /greet?q=1")
        assert EVENTS == ["start", "POST web"]
    assert EVENTS[2:] == ["stop"]


async def test_an_engine_that_ends_cancels_its_calls_and_then_stops_what_they_use() -> None:
    async with engine(hang) as at, connect(at) as wire:
        await wire.send(b"GET /hang HTTP/1.1\r\nhost: test\r\n\r\n")
        with trio.fail_after(5):
            await ARRIVED["hang"].wait()
    assert EVENTS == ["start", "hang", "cancelled", "stop"]


async def test_a_remembered_verdict_does_not_reach_python() -> None:
    async with answering() as upstream:
        EVENTS.clear()
        async with Engine(
            document(upstream.address, "key"), workers=1, hooks={"key": key}
        ) as running:
            for one in ("a", "b", "a", "a"):
                assert (await ask(port(running), "/key", f"x-key: {one}"))[0] == 200
            assert EVENTS == ["start", "key a", "key b"]
            who = [request.value(b"x-who") for request in upstream.requests]
            assert who == [b"A", b"B", b"A", b"A"]
            await running.reload_hooks()
            await ask(port(running), "/key", "x-key: a")
            assert EVENTS[3:] == []


async def test_bodies_are_told_up_to_their_bound() -> None:
    async with engine(measure) as at:
        assert await ask(at, "/measure", body=b"0123456789abcdef") == (200, b"b'0123456789abcdef'")
        assert (await ask(at, "/measure", body=b"0123456789abcdef!"))[0] == 413


async def test_connections_can_be_refused() -> None:
    config = document("127.0.0.1:9", of_listener="refuse")
    async with Engine(config, hooks={"refuse": refuse}) as running:
        with pytest.raises((Ended, trio.BrokenResourceError)):
            await ask(port(running), "/")


async def test_the_end_of_a_request_is_told() -> None:
    async with engine(note) as at:
        assert (await ask(at, "/note"))[0] == 200
        with trio.fail_after(5):
            await ARRIVED["note"].wait()
        assert EVENTS == ["start", "POST /note web/0 200"]


def naming(module: Path) -> Path:
    """A document whose hook is the module's `check`."""
    path = module.with_name("proxy.yaml")
    path.write_text(
        "listeners: [{name: web, address: 127.0.0.1:0, routes: [{to: api, hooks: [check]}]}]\n"
        "clusters: [{name: api, endpoints: [127.0.0.1:9]}]\n"
        f"hooks: [{{name: check, python: '{module.stem}:check', timeout: 5s}}]\n"
    )
    return path


async def test_a_module_is_loaded_and_renewed(tmp_path: Path) -> None:
    module = tmp_path / "embedded_policies.py"
    text = """
        import meshcore
        async def check(request):
            return meshcore.Answer(201)
    """
    module.write_text(dedent(text))
    path = naming(module)
    async with Engine(meshcore.load(path)) as running:
        assert running.hook_files == [str(module)]
        assert (await ask(port(running), "/"))[0] == 201
        module.write_text(dedent(text).replace("201", "202"))
        await running.reload_hooks()
        assert (await ask(port(running), "/"))[0] == 202
        module.write_text("1 / 0")
        with pytest.raises(HookReloadError, match=r"embedded_policies.py:1: ZeroDivisionError"):
            await running.reload_hooks()
        assert (await ask(port(running), "/"))[0] == 202
        await running.apply(document("127.0.0.1:9"))
        assert running.hook_files == []


async def test_what_a_function_declares_is_renewed_with_it(tmp_path: Path) -> None:
    module = tmp_path / "declaring_policies.py"
    text = """
        import meshcore
        @meshcore.hook(body=4)
        async def check(request):
            return meshcore.Answer(200, repr(request.body))
    """
    module.write_text(dedent(text))
    path = naming(module)
    async with Engine(meshcore.load(path)) as running:
        assert (await ask(port(running), "/", body=b"12345"))[0] == 413
        module.write_text(dedent(text).replace("body=4", "body=8"))
        await running.reload_hooks()
        assert await ask(port(running), "/", body=b"12345") == (200, b"b'12345'")
        module.write_text(dedent(text).replace("body=4", 'phase="connection"'))
        with pytest.raises(HookReloadError, match="there is no 'request' in the phase connection"):
            await running.reload_hooks()
        unfit = dedent(text).replace("body=4", 'phase="connection"')
        module.write_text(unfit.replace("(request)", "(connection)"))
        with pytest.raises(ConfigError, match="check"):
            await running.reload_hooks()
        assert await ask(port(running), "/", body=b"123456") == (200, b"b'123456'")
        module.write_text(dedent(text).replace("body=4", "body=2"))
        await running.apply(meshcore.load(path), reload_hooks=True)
        assert (await ask(port(running), "/", body=b"123"))[0] == 413


async def test_a_program_whose_function_is_none_learns_it_at_the_start() -> None:
    async def check(request: Request, plan: str) -> None: ...

    with pytest.raises(HookError, match="nobody gives the argument 'plan'"):
        async with Engine(document("127.0.0.1:9", "check"), hooks={"check": check}):
            pass


def test_a_plain_program_has_hooks_too() -> None:
    with meshcore.serve(document("127.0.0.1:9", "greet"), hooks={"greet": greet}) as served:
        address = served.listeners()[0].bound
        connection = HTTPConnection(address, timeout=10)
        connection.request("GET", "/greet?a")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"hello /greet?a")
        connection.close()
        served.reload_hooks()
