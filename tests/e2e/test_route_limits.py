"""Rate limits of routes: what is too much is refused, and answers tell what is left."""

import json
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest
import trio

from tests.support.bridge import asking
from tests.support.figures import Figure
from tests.support.grpc_echo import DEADLINE, client, in_thread, serving
from tests.support.proxy import Document, running, web
from tests.support.scale import scaled
from tests.support.upstream import answering
from tests.support.wire import Message

Limit = dict[str, object]

versions = pytest.mark.parametrize("version", [1, 2])


def document(address: str, folder: Path, *limits: Limit, **route: object) -> Document:
    """One route with limits."""
    log = {"path": str(folder / "log"), "format": "json"}
    return web(
        address,
        routes=[{"name": "r", "to": "web", "rate_limits": list(limits), **route}],
        access_log=log,
    )


def told(answer: Message) -> tuple[bytes | None, ...]:
    """What an answer says of the limit."""
    names = (b"x-ratelimit-limit", b"x-ratelimit-remaining", b"x-ratelimit-reset", b"retry-after")
    return tuple(answer.value(name) for name in names)


@versions
async def test_a_burst_passes_and_no_more(tmp_path: Path, version: int) -> None:
    limit: Limit = {"name": "a", "local": {"requests": 2, "per": "1h"}}
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(answering())
        given = document(server.address, tmp_path, limit)
        proxy = await stack.enter_async_context(running(tmp_path, given, "--workers", "2"))
        answers = []
        # On connections of their own: each may be another worker's.
        for _ in range(4):
            speaker = await stack.enter_async_context(asking(await proxy.port(), version))
            await speaker.ask("GET /")
            answers.append((await speaker.response())[1])
        assert [answer.status for answer in answers] == [200, 200, 429, 429]
        assert [answer.error for answer in answers] == [None, None, *[b"rate_limited"] * 2]
        assert told(answers[0]) == (b"2", b"1", b"1800", None)
        assert told(answers[1]) == (b"2", b"0", b"3600", None)
        assert told(answers[2]) == (b"2", b"0", b"3600", b"1800")
        assert answers[2].body == b"rate limited\n"
        assert len(server.requests) == 2
        assert await proxy.metric("meshcore_route_rate_limited_total", route="r") == 2
        replies = "meshcore_listener_local_replies_total"
        assert await proxy.metric(replies, error="rate_limited") == 2
        # What was counted outlives a change, here of the rate.
        changed: Limit = {**limit, "local": {"requests": 3, "per": "1h", "burst": 2}}
        await proxy.change(document(server.address, tmp_path, changed))
        await speaker.ask("GET /")
        _, answer = await speaker.response()
        assert (answer.status, answer.value(b"x-ratelimit-limit")) == (429, b"3")
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line["response_flags"] for line in lines] == [None, None, "RL", "RL", "RL"]
    assert lines[2]["response_code_details"] == "rate_limited"


@versions
async def test_each_key_has_a_bucket(tmp_path: Path, version: int) -> None:
    by_user: Limit = {"name": "user", "local": {"requests": 1, "per": "1h"}, "key": "header.X-User"}
    whole: Limit = {"name": "all", "local": {"requests": 3, "per": "1h"}, "key": "source_address"}
    quiet: Limit = {"status": 503, "response_headers": False}
    given = document("127.0.0.1:1", tmp_path, by_user | quiet, whole)
    given["listeners"][0]["routes"] = [
        {"rate_limits": [by_user | quiet, whole], "direct_response": {"status": 200}}
    ]
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(running(tmp_path, given))
        speaker = await stack.enter_async_context(asking(await proxy.port(), version))
        found = []
        for user in (b"a", b"b", b"a", None, None, b"c"):
            await speaker.ask("GET /", *([(b"x-user", user)] if user else []))
            _, answer = await speaker.response()
            found.append((answer.status, *told(answer)[:2]))
    # Who doesn't say who it is shares a bucket with the others of its kind.
    assert found == [
        (200, b"3", b"2"),
        (200, b"3", b"1"),
        (503, None, None),
        (200, b"3", b"0"),
        (503, None, None),
        (429, b"3", b"0"),
    ]


async def test_a_grpc_client_reads_a_status(tmp_path: Path) -> None:
    limit: Limit = {"name": "a", "local": {"requests": 1, "per": "1h"}}
    with serving() as (service, address):
        given = document(address, tmp_path, limit)
        given["clusters"][0]["protocol"] = "http2"
        async with running(tmp_path, given) as proxy:
            port = await proxy.port()

            def work() -> grpc.StatusCode:
                with client(port) as calls:
                    assert calls.unary()(b"a", timeout=DEADLINE) == b"a"
                    with pytest.raises(grpc.RpcError) as caught:
                        calls.unary()(b"a", timeout=DEADLINE)
                assert isinstance(caught.value, grpc.Call)
                code: grpc.StatusCode = caught.value.code()
                return code

            assert await in_thread(work) == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert len(service.metadata) == 1


async def test_a_rate_is_met_by_two_workers(tmp_path: Path, figure: Figure) -> None:
    # The burst is what a pause of half a second saves up.
    rate, burst = 100, 50
    seconds = scaled(10, 2)
    limit: Limit = {"name": "a", "local": {"requests": rate, "per": "1s", "burst": burst}}
    given = document("127.0.0.1:1", tmp_path, limit)
    given["listeners"][0]["routes"] = [
        {"rate_limits": [limit], "direct_response": {"status": 200}},
    ]
    passed, asked = 0, 0
    async with running(tmp_path, given, "--workers", "2") as proxy:
        port = await proxy.port()

        async def hammer() -> None:
            nonlocal passed, asked
            async with asking(port, 1) as speaker:
                while trio.current_time() < end:
                    await speaker.ask("GET /")
                    _, answer = await speaker.response()
                    asked += 1
                    passed += answer.status == 200

        begun = trio.current_time()
        end = begun + seconds
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(hammer)
        took = trio.current_time() - begun
    allowed = burst + rate * took
    figure("passed, of allowed, of asked", f"{passed}, {allowed:.0f}, {asked} in {took:.1f} s")
    assert passed <= allowed * 1.01 + 1
    # How many come at all is the machine's affair.
    if asked >= 10 * allowed:
        assert passed >= allowed * 0.99 - 1
