"""CORS: preflights are answered by the proxy, other answers are told who may read them."""

import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.support.bridge import asking
from tests.support.proxy import Document, running, web
from tests.support.upstream import Upstream, answering, ok, upstream
from tests.support.wire import Message, Wire

PAGE = (b"origin", b"https://app.example")
OTHER = (b"origin", b"https://evil.example")
ASKED = (b"access-control-request-method", b"PUT")

CORS: dict[str, object] = {
    "allow_origins": ["https://app.example", {"regex": r"https://[a-z]+\.dev\.example"}],
    "allow_methods": ["GET", "PUT"],
    "allow_headers": ["x-a", "x-b"],
    "expose_headers": ["x-upstream"],
    "max_age": "1d",
    "allow_credentials": True,
}

versions = pytest.mark.parametrize("version", [1, 2])


def document(server: Upstream, folder: Path, **cors: object) -> Document:
    """One route with CORS before a server."""
    log = {"path": str(folder / "log"), "format": "json"}
    routes = [{"to": "web", "cors": {**CORS, **cors}}]
    return web(server.address, routes=routes, access_log=log)


def told(answer: Message) -> dict[bytes, bytes]:
    """What an answer says of CORS."""
    return {
        name.removeprefix(b"access-control-"): value
        for name, value in answer.fields
        if name.startswith(b"access-control-")
    }


@versions
async def test_a_preflight_is_answered(tmp_path: Path, version: int) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(answering())
        proxy = await stack.enter_async_context(running(tmp_path, document(server, tmp_path)))
        speaker = await stack.enter_async_context(asking(await proxy.port(), version))
        await speaker.ask("OPTIONS /x", PAGE, ASKED)
        _, answer = await speaker.response("OPTIONS")
        assert (answer.status, answer.body, answer.value(b"vary")) == (200, b"", b"Origin")
        assert told(answer) == {
            b"allow-origin": b"https://app.example",
            b"allow-credentials": b"true",
            b"allow-methods": b"GET, PUT",
            b"allow-headers": b"x-a, x-b",
            b"max-age": b"86400",
        }
        assert server.requests == []
        # Who isn't allowed is told nothing, here by the upstream.
        await speaker.ask("OPTIONS /x", OTHER, ASKED)
        _, answer = await speaker.response("OPTIONS")
        assert (told(answer), answer.value(b"x-upstream")) == ({}, b"a")
        # Nor is it a preflight that asks for no method.
        await speaker.ask("OPTIONS /x", PAGE)
        _, answer = await speaker.response("OPTIONS")
        assert answer.value(b"x-upstream") == b"a"
        assert told(answer)[b"allow-origin"] == b"https://app.example"
    assert len(server.requests) == 2
    entry = json.loads((tmp_path / "log").read_text().splitlines()[0])
    assert (entry["response_code"], entry["response_code_details"]) == (200, "cors_response")
    assert entry["response_flags"] is None


@versions
async def test_an_answer_is_told_who_may_read_it(tmp_path: Path, version: int) -> None:
    async def script(wire: Wire) -> None:
        while True:
            await wire.request()
            # What the server says itself gives way.
            own = (b"Access-Control-Allow-Origin: *", b"Vary: Accept")
            await wire.send(ok(b"ok", *own))

    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(upstream(script))
        proxy = await stack.enter_async_context(running(tmp_path, document(server, tmp_path)))
        speaker = await stack.enter_async_context(asking(await proxy.port(), version))
        for origin in (b"https://app.example", b"https://new.dev.example"):
            await speaker.ask("GET /", (b"origin", origin))
            _, answer = await speaker.response()
            assert told(answer) == {
                b"allow-origin": origin,
                b"allow-credentials": b"true",
                b"expose-headers": b"x-upstream",
            }
            assert answer.values(b"vary") in ([b"Accept", b"Origin"], [b"Accept, Origin"])
        for fields in ((OTHER,), ()):
            await speaker.ask("GET /", *fields)
            _, answer = await speaker.response()
            own = [(n, v) for n, v in answer.fields if n.lower() == b"access-control-allow-origin"]
            assert [value for _, value in own] == [b"*"]


@versions
async def test_other_origins_preflights_may_end_here(tmp_path: Path, version: int) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(answering())
        given = document(server, tmp_path, unmatched_preflights="ignore")
        proxy = await stack.enter_async_context(running(tmp_path, given))
        speaker = await stack.enter_async_context(asking(await proxy.port(), version))
        await speaker.ask("OPTIONS /x", OTHER, ASKED)
        _, answer = await speaker.response("OPTIONS")
        assert (answer.status, told(answer)) == (200, {})
        await speaker.ask("GET /x", OTHER)
        assert (await speaker.response())[1].value(b"x-upstream") == b"a"
    assert len(server.requests) == 1


@versions
async def test_an_error_can_be_read_too(tmp_path: Path, version: int) -> None:
    async with AsyncExitStack() as stack:
        given = web("127.0.0.1:1", routes=[{"to": "web", "cors": CORS}])
        proxy = await stack.enter_async_context(running(tmp_path, given))
        speaker = await stack.enter_async_context(asking(await proxy.port(), version))
        await speaker.ask("GET /", PAGE)
        _, answer = await speaker.response()
        assert answer.error == b"upstream_connect_failed"
        assert told(answer)[b"allow-origin"] == b"https://app.example"
