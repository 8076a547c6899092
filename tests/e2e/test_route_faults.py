"""Faults of routes: requests that are delayed and refused on purpose."""

import json
import math
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest
import trio

from tests.support.bridge import Speaker, asking
from tests.support.figures import Figure
from tests.support.grpc_echo import DEADLINE, client, in_thread, serving
from tests.support.proxy import Document, running, web
from tests.support.scale import scaled
from tests.support.upstream import answering
from tests.support.wire import PATIENCE, Message

# Told apart from the time of a request, however slow the machine.
DELAY = 0.4
# What a machine that does other things at the same time may add to a p99.
GENEROUS_MS = 50

versions = pytest.mark.parametrize("version", [1, 2])


def document(address: str, folder: Path, fault: object, **route: object) -> Document:
    """One route with a fault."""
    log = {"path": str(folder / "log"), "format": "json"}
    return web(
        address,
        routes=[{"name": "r", "to": "web", "fault": fault, **route}],
        access_log=log,
    )


def logged(folder: Path) -> list[dict[str, object]]:
    """The lines of the access log."""
    return [json.loads(line) for line in (folder / "log").read_text().splitlines()]


async def told(speaker: Speaker, *fields: tuple[bytes, bytes]) -> Message:
    """The answer to a request with these fields."""
    await speaker.ask("GET /", *fields)
    return (await speaker.response())[1]


@versions
async def test_an_abort_answers_and_asks_nobody(tmp_path: Path, version: int) -> None:
    fault = {"abort": {"status": 418}, "headers": {"X-Trial": {"prefix": "y"}}}
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(answering())
        given = document(server.address, tmp_path, fault)
        proxy = await stack.enter_async_context(running(tmp_path, given))
        speaker = await stack.enter_async_context(asking(await proxy.port(), version))
        answer = await told(speaker, (b"x-trial", b"yes"))
        assert (answer.status, answer.error) == (418, b"fault_injected")
        assert answer.body == b"fault injected\n"
        assert server.requests == []
        # Who doesn't meet the condition goes on, on the same connection.
        for fields in ([(b"x-trial", b"no")], []):
            answer = await told(speaker, *fields)
            assert (answer.status, answer.error) == (200, None)
        counted = [
            await proxy.metric(f"meshcore_route_fault_{what}_total", route="r")
            for what in ("aborts", "delays")
        ]
        assert counted == [1, 0]
        replies = "meshcore_listener_local_replies_total"
        assert await proxy.metric(replies, error="fault_injected") == 1
        assert await proxy.metric("meshcore_cluster_requests_total") == 2
    first, *others = logged(tmp_path)
    assert (first["response_flags"], first["response_code"]) == ("FI", 418)
    assert first["response_code_details"] == "fault_injected"
    assert first["upstream_host"] is None
    assert [line["response_flags"] for line in others] == [None, None]


@versions
async def test_a_delay_comes_before_the_timeout(tmp_path: Path, version: int) -> None:
    fault = {"delay": {"fixed": "400ms"}}
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(answering())
        given = document(server.address, tmp_path, fault, timeout="300ms")
        proxy = await stack.enter_async_context(running(tmp_path, given))
        speaker = await stack.enter_async_context(asking(await proxy.port(), version))
        for _ in range(2):
            begun = trio.current_time()
            await speaker.ask("POST /", body=b"body")
            _, answer = await speaker.response("POST")
            assert (answer.status, answer.error) == (200, None)
            assert trio.current_time() - begun >= DELAY
        assert [request.body for request in server.requests] == [b"body", b"body"]
        assert await proxy.metric("meshcore_route_fault_delays_total", route="r") == 2
    for line in logged(tmp_path):
        assert line["response_flags"] == "DI"


@versions
async def test_a_delayed_abort_waits_first(tmp_path: Path, version: int) -> None:
    fault = {"delay": {"fixed": "400ms"}, "abort": {"grpc_status": "RESOURCE_EXHAUSTED"}}
    routes = {"to": [], "direct_response": {"status": 200}}
    async with AsyncExitStack() as stack:
        given = document("127.0.0.1:1", tmp_path, fault, **routes)
        proxy = await stack.enter_async_context(running(tmp_path, given))
        speaker = await stack.enter_async_context(asking(await proxy.port(), version))
        begun = trio.current_time()
        answer = await told(speaker)
        assert (answer.status, answer.error) == (429, b"fault_injected")
        assert trio.current_time() - begun >= DELAY
    assert [line["response_flags"] for line in logged(tmp_path)] == ["DI,FI"]


@versions
@pytest.mark.parametrize("aborts", [False, True], ids=["goes on", "aborts"])
async def test_who_leaves_ends_a_delay(tmp_path: Path, version: int, aborts: bool) -> None:
    fault: dict[str, object] = {"delay": {"fixed": "1h"}}
    if aborts:
        fault["abort"] = {"status": 500}
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(answering())
        given = document(server.address, tmp_path, fault)
        proxy = await stack.enter_async_context(running(tmp_path, given))
        async with asking(await proxy.port(), version) as speaker:
            await speaker.ask("GET /")
            active = "meshcore_listener_requests_active"
            with trio.fail_after(PATIENCE):
                while await proxy.metric(active) == 0:
                    pass
        with trio.fail_after(PATIENCE):
            while await proxy.metric(active) > 0:
                pass
        assert server.requests == []
        assert await proxy.metric("meshcore_cluster_requests_active") == 0
    assert [line["response_flags"] for line in logged(tmp_path)] == ["DI,DC"]


async def test_a_grpc_client_reads_the_status(tmp_path: Path) -> None:
    faults = {
        "Echo": {"abort": {"grpc_status": "ABORTED"}},
        "Fail": {"abort": {"status": 403}},
    }
    routes = [
        {"match": {"path": {"exact": f"/test.Echo/{method}"}}, "to": "web", "fault": fault}
        for method, fault in faults.items()
    ]
    with serving() as (service, address):
        given = web(address, routes=routes)
        given["clusters"][0]["protocol"] = "http2"
        async with running(tmp_path, given) as proxy:
            port = await proxy.port()

            def work() -> list[grpc.StatusCode]:
                found: list[grpc.StatusCode] = []
                with client(port) as calls:
                    for method in faults:
                        with pytest.raises(grpc.RpcError) as caught:
                            calls.unary(method)(b"", timeout=DEADLINE)
                        assert isinstance(caught.value, grpc.Call)
                        assert caught.value.details() == "fault injected"
                        found.append(caught.value.code())
                return found

            codes = [grpc.StatusCode.ABORTED, grpc.StatusCode.PERMISSION_DENIED]
            assert await in_thread(work) == codes
        assert service.metadata == []


@versions
async def test_percentages_are_met(tmp_path: Path, version: int, figure: Figure) -> None:
    percent, delayed = 10, 30
    count = scaled(10_000, 500)
    fault = {
        "abort": {"status": 503, "percentage": percent},
        "delay": {"fixed": "1ms", "percentage": delayed},
    }
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(answering())
        given = document(server.address, tmp_path, fault)
        proxy = await stack.enter_async_context(running(tmp_path, given))
        speaker = await stack.enter_async_context(asking(await proxy.port(), version))
        statuses = [(await told(speaker)).status for _ in range(count)]
        delays = await proxy.metric("meshcore_route_fault_delays_total", route="r")
    shares = {percent: 100 * statuses.count(503) / count, delayed: 100 * delays / count}
    figure("shares of aborts and delays", str(shares))
    for wanted, share in shares.items():
        # Five standard deviations; over 10,000 one point is two of them at least.
        allowed = 5 * math.sqrt(wanted * (100 - wanted) / count)
        assert abs(share - wanted) <= allowed, (wanted, share)
    assert statuses.count(200) + statuses.count(503) == count


async def test_a_fault_leaves_others_alone(tmp_path: Path, figure: Figure) -> None:
    held, count = 50, scaled(10_000, 300)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(answering())
        routes = [
            {
                "match": {"path": {"exact": "/held"}},
                "to": "web",
                "fault": {"delay": {"fixed": "1h"}},
            },
            {"to": "web"},
        ]
        proxy = await stack.enter_async_context(
            running(tmp_path, web(server.address, routes=routes), "--workers", "1")
        )
        port = await proxy.port()
        speaker = await stack.enter_async_context(asking(port, 1))

        async def p99() -> float:
            took = []
            for _ in range(count):
                begun = trio.current_time()
                assert (await told(speaker)).status == 200
                took.append(trio.current_time() - begun)
            return 1000 * sorted(took)[count * 99 // 100]

        alone = await p99()
        for _ in range(held):
            waiting = await stack.enter_async_context(asking(port, 1))
            await waiting.ask("GET /held")
        with trio.fail_after(PATIENCE):
            while await proxy.metric("meshcore_route_fault_delays_total") < held:
                pass
        beside = await p99()
    figure("p99 of another route, alone and beside 50 that wait", f"{alone:.2f}, {beside:.2f} ms")
    # Twice what it was, and what a busy machine adds to any p99.
    assert beside <= 2 * alone + GENEROUS_MS, (alone, beside)
