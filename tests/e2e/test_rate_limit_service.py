"""Rate limits that a service of Envoy's protocol decides on, on a real gRPC server."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.support.bridge import Speaker, asking
from tests.support.proxy import Document, running, web
from tests.support.rls import ruling
from tests.support.wire import Message

SERVICE = "meshcore_rate_limit_service"

versions = pytest.mark.parametrize("version", [1, 2])


def document(address: str, on_error: str = "closed") -> Document:
    """A route that answers itself what a service lets pass."""
    limits: list[dict[str, object]] = [
        {"name": "everybody", "service": "rules"},
        {"name": "each", "service": "rules", "key": "header.X-User", "status": 403},
    ]
    given = web("127.0.0.1:1")
    routes = [{"name": "r", "rate_limits": limits, "direct_response": {"status": 200}}]
    given["listeners"][0]["routes"] = routes
    given["clusters"].append({"name": "rls", "protocol": "http2", "endpoints": [address]})
    grpc = {"cluster": "rls", "domain": "test"}
    service: dict[str, object] = {
        "name": "rules",
        "grpc": grpc,
        "timeout": "5s",
        "on_error": on_error,
    }
    given["rate_limit_services"] = [service | {"on_error": on_error}]
    return given


async def told(speaker: Speaker, user: bytes) -> Message:
    """The answer to a request of `user`."""
    await speaker.ask("GET /", (b"x-user", user))
    return (await speaker.response())[1]


@versions
async def test_a_service_decides(tmp_path: Path, version: int) -> None:
    async with AsyncExitStack() as stack:
        rules, address = stack.enter_context(ruling())
        proxy = await stack.enter_async_context(running(tmp_path, document(address)))
        speaker = await stack.enter_async_context(asking(await proxy.port(), version))
        answer = await told(speaker, b"a")
        assert answer.status == 200
        everybody = [("generic_key", "everybody")]
        assert rules.asked == [
            ("test", everybody, 1),
            ("test", [("generic_key", "each"), ("x-user", "a")], 1),
        ]
        limits = [answer.value(b"x-ratelimit-" + it) for it in (b"limit", b"remaining", b"reset")]
        assert limits == [b"10", b"7", b"60"]
        assert [value for name, value in answer.fields if name == b"x-rule"] == [b"everybody", b"a"]
        rules.over.add("b")
        answer = await told(speaker, b"b")
        assert (answer.status, answer.error) == (403, b"rate_limited")
        assert (answer.body, answer.value(b"retry-after")) == (b"too many\n", b"60")
        assert answer.value(b"x-ratelimit-remaining") == b"0"
        rules.over.add("everybody")
        answer = await told(speaker, b"a")
        assert answer.status == 429
        counted = [
            await proxy.metric(f"{SERVICE}_{name}_total", service="rules")
            for name in ("questions", "passed", "refused", "errors")
        ]
        assert counted == [5, 3, 2, 0]


async def test_a_service_that_fails_or_is_gone(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        with ruling() as (rules, address):
            proxy = await stack.enter_async_context(running(tmp_path, document(address)))
            speaker = await stack.enter_async_context(asking(await proxy.port(), 1))
            assert (await told(speaker, b"a")).status == 200
            rules.fails = True
            answer = await told(speaker, b"a")
            assert (answer.status, answer.error) == (503, b"rate_limit_unavailable")
        answer = await told(speaker, b"a")
        assert (answer.status, answer.error) == (503, b"rate_limit_unavailable")
        await proxy.change(document(address, "open"))
        assert (await told(speaker, b"a")).status == 200
        assert await proxy.metric(f"{SERVICE}_fallback_open_total") == 2
        assert await proxy.metric(f"{SERVICE}_fallback_closed_total") == 2
