"""What is tried again, how often, and what never is."""

import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio

from tests.support.bridge import BRIDGES, NAMES, Http2, Speaker, asking, telling
from tests.support.proxy import Document, Proxy, running
from tests.support.scale import scaled
from tests.support.upstream import GONE, Upstream, upstream
from tests.support.wire import Message, Wire, connect

PATIENCE = 20.0
bridges = pytest.mark.parametrize("versions", BRIDGES, ids=NAMES)
SURE = ("5xx", "reset", "connect-failure")
CALLERS = 64


class Server:
    """An upstream that does one thing after the other with its requests, whatever carries them."""

    def __init__(self, *acts: str) -> None:
        """`"503"` answers so; `"reset"` ends the connection; `"hang"` says nothing; then 200."""
        self.acts = list(acts)
        self.heard: list[Message] = []
        self.hears = trio.Event()

    async def __call__(self, server: Speaker) -> None:
        """Serve a connection."""
        while True:
            self.heard.append(await server.request())
            self.hears.set()
            act = self.acts.pop(0) if self.acts else "200"
            if act == "reset":
                return
            if act == "hang" and isinstance(server, Http2):
                continue
            if act == "hang":
                await server.wire.rest()
                return
            if act.startswith("grpc"):
                status = (b"grpc-status", act.removeprefix("grpc").encode())
                await server.answer(200, (b"content-type", b"application/grpc"), status)
                continue
            await server.answer(int(act), (b"x-try", b"%d" % len(self.heard)), body=act.encode())


KEY = (b"idempotency-key", b"7")
GRPC = ((b"content-type", b"application/grpc"), (b"te", b"trailers"))
BODY = random.Random(1).randbytes(300_000)


@dataclass(frozen=True)
class Case:
    """A route, what its server does, a request, and what comes of it."""

    name: str
    acts: tuple[str, ...]
    status: int
    heard: int
    head: str = "GET"
    fields: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes | None = None
    retries: dict[str, object] | None = field(default_factory=dict)
    route: dict[str, object] = field(default_factory=dict)


CASES = (
    Case("failures", ("503", "503"), 200, 3),
    Case("resets", ("reset", "reset"), 200, 3),
    Case("the-last-is-passed-on", ("500", "501", "503"), 503, 3),
    Case("bodies", ("503", "503"), 200, 3, head="PUT", body=BODY),
    Case("posts", ("503",), 503, 1, head="POST", body=b"pay"),
    Case("posts-reset", ("reset",), 502, 1, head="POST", body=b"pay"),
    Case("posts-with-key", ("503", "reset"), 200, 3, head="POST", body=b"pay", fields=(KEY,)),
    Case("consent", ("503",), 200, 2, head="POST", body=b"", retries={"non_idempotent": True}),
    Case("time", ("hang",), 200, 2, retries={"per_try_timeout": "50ms"}),
    Case("no-time", ("hang",) * 3, 504, 3, retries={"per_try_timeout": "50ms"}),
    Case("long", ("503",), 503, 1, head="PUT", body=b"x" * 1001, retries={"body_bytes": 1000}),
    Case("short", ("503",), 200, 2, head="PUT", body=b"x" * 1000, retries={"body_bytes": 1000}),
    Case(
        "codes",
        ("418", "404"),
        404,
        2,
        retries={"retry_on": ["retriable-status-codes"], "retriable_status_codes": [418]},
    ),
    Case(
        "headers",
        ("404", "404"),
        404,
        2,
        retries={"retry_on": ["retriable-headers"], "retriable_headers": {"X-Try": "1"}},
    ),
    # No wait is begun that would outlast the request.
    Case(
        "no-wait",
        ("503",),
        503,
        1,
        retries={"attempts": 100, "back_off": {"base": "1h"}},
        route={"timeout": "2s"},
    ),
    Case("default", ("503",), 503, 1, retries=None),
    Case("default-reset", ("reset",), 502, 1, retries=None),
    Case(
        "calls",
        ("grpc14", "grpc8"),
        200,
        2,
        head="POST",
        fields=GRPC,
        body=b"",
        retries={"retry_on": ["unavailable"]},
    ),
)


def policy(**retries: object) -> dict[str, object]:
    """Retries of all that can fail, soon."""
    return {"retry_on": list(SURE), "back_off": {"base": "1ms"}, **retries}


def cluster(name: str, version: int, *addresses: str) -> dict[str, object]:
    """Endpoints whose requests may all be retries."""
    budget = {"percent": 100, "min_concurrency": 100}
    protocol = f"http{version}"
    endpoints = list(addresses)
    return {"name": name, "endpoints": endpoints, "protocol": protocol, "retry_budget": budget}


def document(*clusters: dict[str, object], **retries: object) -> Document:
    """One route with retries before the first cluster."""
    web = {"name": "web", "address": "127.0.0.1:0"}
    to = {"to": clusters[0]["name"], "retries": policy(**retries)}
    return {"listeners": [{**web, "routes": [to]}], "clusters": list(clusters)}


async def ask(port: int, version: int, case: Case) -> Message:
    """The answer to a case's request."""
    async with asking(port, version) as client:
        head = f"{case.head} /{case.name}"
        await client.ask(head, *case.fields, body=case.body)
        return (await client.response(case.head))[1]


@bridges
async def test_what_is_tried_again(tmp_path: Path, versions: tuple[int, int]) -> None:
    cases = [case for case in CASES if case.name != "calls" or versions[1] == 2]
    servers = {case.name: Server(*case.acts) for case in cases}
    log = tmp_path / "log"
    async with AsyncExitStack() as stack:
        clusters, routes = [], []
        for case in cases:
            up = await stack.enter_async_context(telling(servers[case.name], versions[1]))
            clusters.append(cluster(case.name, versions[1], up.address))
            to = {"match": {"path": {"prefix": f"/{case.name}"}}, "to": case.name, **case.route}
            if case.retries is not None:
                to["retries"] = policy(**case.retries)
            routes.append(to)
        made = document(*clusters)
        made["listeners"][0] |= {
            "routes": routes,
            "access_log": {"path": str(log), "format": "json"},
        }
        proxy = await stack.enter_async_context(running(tmp_path, made))
        port = await proxy.port()
        for case in cases:
            with trio.fail_after(PATIENCE):
                answer = await ask(port, versions[0], case)
            heard = servers[case.name].heard
            assert (answer.status, len(heard)) == (case.status, case.heard), case.name
            if case.name == "no-time":
                assert answer.error == b"per_try_timeout"
            assert all(message.body == (case.body or b"") for message in heard), case.name
        await counted(proxy)
    flags = [json.loads(line)["response_flags"] for line in log.read_text().splitlines()]
    told = dict(zip((case.name for case in cases), flags, strict=True))
    assert told["failures"] in {"-", "", None}
    assert told["the-last-is-passed-on"] == "URX"
    assert told["no-time"] == "UT,URX"


async def counted(proxy: Proxy) -> None:
    """Demand that the numbers tell of the cases."""

    async def number(name: str, case: str) -> float:
        return await proxy.metric(f"meshcore_cluster_{name}_total", cluster=case)

    assert await number("retries", "failures") == 2
    assert await number("retry_success", "failures") == 1
    assert await number("retry_limit_exceeded", "the-last-is-passed-on") == 1
    assert await number("retry_success", "the-last-is-passed-on") == 0
    assert await number("retry_body_too_large", "long") == 1
    assert await number("retries", "posts") == 0


async def test_other_hosts_come_first(tmp_path: Path) -> None:
    bad, good = Server(*["503"] * 100), Server()
    async with telling(bad, 1) as one, telling(good, 1) as other:
        made = document(cluster("web", 1, one.address, other.address), attempts=1)
        async with running(tmp_path, made) as proxy, connect(await proxy.port()) as wire:
            for _ in range(20):
                assert (await wire.get("/")).status == 200
    assert len(good.heard) == 20


async def test_a_client_that_leaves_ends_the_wait(tmp_path: Path) -> None:
    server = Server(*["503"] * 100)
    async with telling(server, 1) as up:
        made = document(cluster("web", 1, up.address), back_off={"base": "1h"})
        async with running(tmp_path, made) as proxy:
            async with asking(await proxy.port(), 2) as client:
                await client.ask("GET /")
                await server.hears.wait()
            with trio.fail_after(PATIENCE):
                while await proxy.metric("meshcore_cluster_requests_active"):
                    pass


class Careless:
    """An application that does what it is asked, and whose connections break anywhere."""

    def __init__(self, seed: int) -> None:
        """Break by this seed."""
        self.random = random.Random(seed)
        self.done: Counter[bytes] = Counter()

    async def __call__(self, wire: Wire) -> None:
        """Serve a connection until it breaks."""
        while True:
            place = self.random.randrange(600)
            if place < 120:
                # Within the head: not even the whole request has come.
                await wire.exactly(place)
                return
            message = await wire.request()
            self.done[message.body] += 1
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"
            if place < 120 + len(answer):
                await wire.send(answer[: place - 120])
                return
            await wire.send(answer)


@pytest.mark.parametrize("asked", [True, False], ids=["retries", "default"])
async def test_no_post_is_done_twice(tmp_path: Path, *, asked: bool) -> None:
    posts, callers = scaled(100_000, 500) // 2, 16
    servers = [Careless(seed) for seed in range(3)]
    async with AsyncExitStack() as stack:
        ups = [await stack.enter_async_context(breaking(server)) for server in servers]
        made = document(cluster("web", 1, *(up.address for up in ups)), attempts=3)
        if not asked:
            made["listeners"][0]["routes"] = [{"to": "web"}]
        proxy = await stack.enter_async_context(running(tmp_path, made))
        port, answered = await proxy.port(), Counter[int]()

        async def call(caller: int) -> None:
            numbers = iter(range(caller, posts, callers))
            while True:
                async with connect(port) as wire:
                    for number in numbers:
                        body = b"%08d" % number
                        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n"
                        await wire.send(head + body)
                        try:
                            answered[(await wire.response()).status] += 1
                        except GONE:
                            answered[0] += 1
                            break
                    else:
                        return

        async with trio.open_nursery() as nursery:
            for caller in range(callers):
                nursery.start_soon(call, caller)
    done = sum((server.done for server in servers), Counter[bytes]())
    assert sum(answered.values()) == posts
    assert answered[200] > posts / 2
    assert answered[502] > 0
    assert max(done.values()) == 1, done.most_common(3)


@asynccontextmanager
async def breaking(server: Careless) -> AsyncIterator[Upstream]:
    """A server of the application."""
    async with upstream(server) as up:
        yield up


async def test_callers_that_always_fail_are_no_greater_load(tmp_path: Path) -> None:
    asked, heard = scaled(20_000, 2_560) // CALLERS * CALLERS, 0

    async def story(server: Speaker) -> None:
        nonlocal heard
        while True:
            await server.request()
            heard += 1
            await trio.sleep(0.01)
            await server.answer(503)

    async with telling(story, 1) as one, telling(story, 1) as other:
        web = cluster("web", 1, one.address, other.address)
        del web["retry_budget"]
        made = document(web, attempts=5, back_off={})
        async with running(tmp_path, made) as proxy:
            port = await proxy.port()

            left = asked

            async def call() -> None:
                nonlocal left
                async with connect(port) as wire:
                    # As long as any is left: all call to the end, since few would have more room.
                    while left > 0:
                        left -= 1
                        assert (await wire.get("/")).status == 503

            async with trio.open_nursery() as nursery:
                for _ in range(CALLERS):
                    nursery.start_soon(call)
            assert await proxy.metric("meshcore_cluster_retry_overflow_total") > 0
    assert asked < heard <= asked * 1.25, heard / asked
