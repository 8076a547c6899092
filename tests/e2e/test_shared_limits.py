"""Rate limits over several proxies, counted by a real Redis."""

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio

from tests.support.bridge import Speaker, asking
from tests.support.figures import Figure
from tests.support.proxy import Document, Proxy, running, web
from tests.support.redis import redis
from tests.support.scale import scaled
from tests.support.upstream import answering
from tests.support.wire import PATIENCE, Message

# Far more than a Redis takes, that nothing but its death ends it on a busy machine.
TIMEOUT = 2.0
SERVICE = "meshcore_rate_limit_service"
NEVER = 10**9

versions = pytest.mark.parametrize("version", [1, 2])


def document(address: str, limit: object, *, redis: str = "", **service: object) -> Document:
    """One route before one cluster, with a limit that a Redis counts."""
    given = web(address, routes=[{"name": "r", "to": "web", "rate_limits": [limit]}])
    given["clusters"].append({"name": "redis", "endpoints": [redis or "127.0.0.1:1"]})
    named = {"name": "counts", "redis": {"cluster": "redis"}, "timeout": "2s", **service}
    given["rate_limit_services"] = [named]
    return given


def answering_itself(limit: object, *, redis: str, **service: object) -> Document:
    """The same, where the route answers."""
    given = document("127.0.0.1:2", limit, redis=redis, **service)
    routes = [{"name": "r", "rate_limits": [limit], "direct_response": {"status": 200}}]
    given["listeners"][0]["routes"] = routes
    return given


def shared(requests: int, per: str = "1h", **others: object) -> dict[str, object]:
    """A limit."""
    rate = {"requests": requests, "per": per}
    return {"name": "all", "service": "counts", "shared": rate} | others


async def told(speaker: Speaker, *fields: tuple[bytes, bytes]) -> Message:
    """The answer to a request."""
    await speaker.ask("GET /", *fields)
    return (await speaker.response())[1]


async def start(stack: AsyncExitStack, folder: Path, given: Document, *flags: str) -> Proxy:
    """A proxy with a folder of its own."""
    await trio.Path(folder).mkdir()
    return await stack.enter_async_context(running(folder, given, *flags))


async def total(proxies: Sequence[Proxy], metric: str, **labels: str) -> float:
    """A metric, summed over proxies."""
    return sum([await proxy.metric(metric, **labels) for proxy in proxies])


@versions
async def test_two_proxies_share_a_bucket(tmp_path: Path, version: int) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(redis(tmp_path))
        upstream = await stack.enter_async_context(answering())
        given = document(upstream.address, shared(3), redis=server.address)
        given["listeners"][0]["access_log"] = {"path": str(tmp_path / "log"), "format": "json"}
        proxies = [await start(stack, tmp_path / name, given) for name in "ab"]
        speakers = [
            await stack.enter_async_context(asking(await proxy.port(), version))
            for proxy in proxies
        ]
        one, other = speakers
        answers = [await told(speaker) for speaker in (one, other, one, other)]
        # What is known of the script may be forgotten.
        assert await server.ask("SCRIPT FLUSH") == b"+OK\r\n"
        answers.append(await told(one))
        assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
        left = [answer.value(b"x-ratelimit-remaining") for answer in answers]
        assert left == [b"2", b"1", b"0", b"0", b"0"]
        assert answers[0].value(b"x-ratelimit-limit") == b"3"
        assert answers[3].value(b"retry-after") == b"1200"
        assert answers[3].error == b"rate_limited"
        assert len(upstream.requests) == 3
        # What is refused is no request of the cluster.
        assert await total(proxies, "meshcore_cluster_requests_total", cluster="web") == 3
        for name, count in (("passed", 3), ("refused", 2), ("errors", 0), ("timeouts", 0)):
            counted = await total(proxies, f"{SERVICE}_{name}_total", service="counts")
            assert counted == count, name
        # In the bucket of the limit, for all keys.
        assert b"meshcore:all:" in await server.ask("KEYS *")
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert sorted(str(line["response_flags"]) for line in lines) == ["None"] * 3 + ["RL"] * 2


async def test_each_key_has_a_bucket_and_a_lease(tmp_path: Path) -> None:
    limit = shared(1, key="header.x-user", status=503, response_headers=False)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(redis(tmp_path))
        given = answering_itself(limit, redis=server.address)
        proxy = await stack.enter_async_context(running(tmp_path, given))
        speaker = await stack.enter_async_context(asking(await proxy.port(), 1))
        users = (b"a", b"b", b"a", b"x" * 500, b"x" * 500)
        answers = [await told(speaker, (b"x-user", user)) for user in users]
        assert [answer.status for answer in answers] == [200, 200, 503, 200, 503]
        assert answers[0].value(b"x-ratelimit-limit") is None


async def test_a_password_is_read_from_its_file(tmp_path: Path) -> None:
    limit = shared(1, name="secret")
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(redis(tmp_path, "--requirepass", "sesame"))
        given = answering_itself(limit, redis=server.address, on_error="closed")
        login = {"cluster": "redis", "password_file": "password"}
        given["rate_limit_services"][0]["redis"] = login
        (tmp_path / "password").write_text("wrong\n")
        proxy = await stack.enter_async_context(running(tmp_path, given, "--workers", "1"))
        speaker = await stack.enter_async_context(asking(await proxy.port(), 1))
        assert (await told(speaker)).status == 503
        (tmp_path / "password").write_text("sesame\n")
        assert "sesame" not in await proxy.ask("/config_dump")
        # The connection ends, and the next one says the new word.
        await server.kill()
        await server.start("--requirepass", "sesame")
        with trio.fail_after(PATIENCE):
            while (answer := await told(speaker)).status == 503:
                pass
        assert (answer.status, (await told(speaker)).status) == (200, 429)


async def hammer(port: int, end: float, passed: list[float]) -> None:
    """Ask as fast as it goes; note when something passed."""
    async with asking(port, 1) as speaker:
        while trio.current_time() < end:
            if (await told(speaker)).status == 200:
                passed.append(trio.current_time())


async def test_three_proxies_keep_the_rate_together(tmp_path: Path, figure: Figure) -> None:
    rate, burst = 300, 30
    limit = shared(rate, "1s")
    limit["shared"] = {"requests": rate, "per": "1s", "burst": burst}
    passed: list[float] = []
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(redis(tmp_path))
        given = answering_itself(limit, redis=server.address)
        proxies = [await start(stack, tmp_path / it, given, "--workers", "2") for it in "abc"]
        ports = [await proxy.port() for proxy in proxies]
        begun = trio.current_time()
        async with trio.open_nursery() as nursery:
            for port in ports * 2:
                nursery.start_soon(hammer, port, begun + scaled(10, 2), passed)
        took = trio.current_time() - begun
        questions = await total(proxies, f"{SERVICE}_questions_total")
        requests = await total(proxies, "meshcore_listener_requests_total")
        assert await total(proxies, f"{SERVICE}_fallback_open_total") == 0
    allowed = burst + rate * took
    figure(
        "passed, of allowed, of asked, and questions",
        f"{len(passed)}, {allowed:.0f}, {requests:.0f}, {questions:.0f} in {took:.1f} s",
    )
    assert len(passed) <= allowed * 1.02 + 1
    if requests >= 10 * allowed:
        assert len(passed) >= allowed * 0.95
    # Most of those that are refused ask nobody.
    assert questions <= max(4 * allowed, requests / 2)


OUTCOMES = {"open": [200] * 4, "closed": [503] * 4, "local": [200, 200, 429, 429]}


@pytest.mark.parametrize("fallback", OUTCOMES)
async def test_a_redis_that_is_killed_and_comes_back(tmp_path: Path, fallback: str) -> None:
    limit = shared(NEVER, "1h", local={"requests": 2, "per": "1h"})
    limit["shared"] = {"requests": 1_000_000, "per": "1s"}
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(redis(tmp_path))
        given = answering_itself(limit, redis=server.address, on_error=fallback)
        proxy = await stack.enter_async_context(running(tmp_path, given, "--workers", "1"))
        speaker = await stack.enter_async_context(asking(await proxy.port(), 1))
        assert (await told(speaker)).status == 200
        await server.kill()
        begun = trio.current_time()
        answers = [await told(speaker) for _ in range(4)]
        assert trio.current_time() - begun < TIMEOUT, "nobody waits for what is known to be gone"
        assert [answer.status for answer in answers] == OUTCOMES[fallback]
        if fallback == "closed":
            assert answers[0].error == b"rate_limit_unavailable"
        assert await proxy.metric(f"{SERVICE}_fallback_{fallback}_total") == 4
        assert await proxy.metric(f"{SERVICE}_errors_total") == 4
        await server.start()
        with trio.fail_after(PATIENCE):
            while await proxy.metric(f"{SERVICE}_passed_total") < 2:
                await told(speaker)
        assert await proxy.metric(f"{SERVICE}_timeouts_total") == 0


@versions
async def test_nobody_waits_longer_than_the_timeout(
    tmp_path: Path, version: int, figure: Figure
) -> None:
    limit = shared(NEVER, "1h")
    limit["shared"] = {"requests": 1_000_000, "per": "1s"}
    timeout, clients = 0.1, scaled(100, 10)
    took: list[float] = []
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(redis(tmp_path))
        given = answering_itself(limit, redis=server.address, timeout="100ms")
        proxy = await stack.enter_async_context(running(tmp_path, given, "--workers", "1"))
        port = await proxy.port()

        async def ask_on(task_status: trio.TaskStatus[None]) -> None:
            async with asking(port, version) as speaker:
                task_status.started()
                for _ in range(10):
                    begun = trio.current_time()
                    assert (await told(speaker)).status == 200
                    took.append(trio.current_time() - begun)

        async with asking(port, version) as speaker:
            assert (await told(speaker)).status == 200
        server.freeze()
        try:
            async with trio.open_nursery() as nursery:
                for _ in range(clients):
                    await nursery.start(ask_on)
            assert await proxy.metric(f"{SERVICE}_timeouts_total") >= 1
        finally:
            server.thaw()
    figure("the longest wait for a frozen Redis, 100 ms allowed", f"{max(took) * 1000:.0f} ms")
    # A busy machine answers late; each of ten in turn might wait, and none waits twice.
    assert max(took) < timeout + 1


async def test_who_leaves_waits_for_nobody(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(redis(tmp_path))
        given = answering_itself(shared(5), redis=server.address, timeout="10s")
        proxy = await stack.enter_async_context(running(tmp_path, given, "--workers", "1"))
        port = await proxy.port()
        server.freeze()
        active = "meshcore_listener_requests_active"
        try:
            async with asking(port, 1) as speaker:
                await speaker.ask("GET /")
                with trio.fail_after(PATIENCE):
                    while await proxy.metric(active) == 0:
                        pass
            with trio.fail_after(5):
                while await proxy.metric(active) > 0:
                    pass
        finally:
            server.thaw()
        # The next one asks in its stead.
        async with asking(port, 1) as speaker:
            assert (await told(speaker)).status == 200
