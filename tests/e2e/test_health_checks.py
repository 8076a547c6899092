"""Active health checks: who fails gets no requests, who passes again gets them back."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from tests.e2e.test_real_programs import nginx
from tests.support.certificates import Authority
from tests.support.grpc_health import NOT_SERVING, SERVING, serving_health
from tests.support.nghttpd import nghttpd
from tests.support.proxy import Document, Proxy, running, talking, web
from tests.support.upstream import Upstream, answering, ok, upstream
from tests.support.wire import Message, Wire, connect

QUICK = {"interval": "50ms", "timeout": "2s", "jitter": 0}
PATIENCE = 20.0


@dataclass(slots=True)
class Speaker:
    """A server that can turn sick: then its checks get 500, while requests are still served."""

    name: str
    sick: bool = False
    closes: bool = False
    checks: list[Message] = field(default_factory=list)
    requests: int = 0
    server: Upstream = field(default_factory=lambda: Upstream("", 0))

    async def script(self, wire: Wire) -> None:
        """Answer checks by health and requests by name."""
        while True:
            request = await wire.request()
            if request.target == b"/healthz":
                self.checks.append(request)
                body = b"Content-Length: 2\r\n\r\nno" if self.sick else ok()
                await wire.send(b"HTTP/1.1 500 Sick\r\n" + body if self.sick else body)
                if self.closes:
                    return
            else:
                self.requests += 1
                await wire.send(ok(self.name.encode()))


@asynccontextmanager
async def speakers(names: str) -> AsyncIterator[list[Speaker]]:
    """One server for each letter."""
    async with AsyncExitStack() as stack:
        found = [Speaker(name) for name in names]
        for speaker in found:
            speaker.server = await stack.enter_async_context(upstream(speaker.script))
        yield found


def checked(*addresses: str, **check: object) -> Document:
    """A document whose cluster has one health check."""
    document = web(*addresses)
    document["clusters"][0]["health_checks"] = [QUICK | check]
    return document


async def becomes(proxy: Proxy, healthy: int) -> None:
    """Wait until so many endpoints are held to be healthy."""
    with trio.fail_after(PATIENCE):
        while await proxy.metric("meshcore_health_check_endpoints_healthy") != healthy:
            await trio.lowlevel.checkpoint()


async def attempted(proxy: Proxy, more: int, **labels: str) -> None:
    """Wait for so many more checks."""
    name = "meshcore_health_check_attempts_total"
    target = await proxy.metric(name, **labels) + more
    with trio.fail_after(PATIENCE):
        while await proxy.metric(name, **labels) < target:
            await trio.lowlevel.checkpoint()


async def answers(proxy: Proxy, count: int) -> set[str]:
    """Who answers so many requests."""
    async with connect(await proxy.port()) as wire:
        return {(await wire.get()).body.decode() for _ in range(count)}


async def obstacles(proxy: Proxy) -> list[list[str]]:
    """What keeps requests from each endpoint."""
    (cluster,) = json.loads(await proxy.ask("/clusters?format=json"))
    return [endpoint["obstacles"] for endpoint in cluster["endpoints"]]


async def test_who_fails_gets_no_requests_until_it_passes(tmp_path: Path) -> None:
    async with speakers("ab") as (first, second):
        document = checked(first.server.address, second.server.address, http={"path": "/healthz"})
        async with running(tmp_path, document, "--workers", "2") as proxy:
            await attempted(proxy, 4)
            assert await answers(proxy, 8) == {"a", "b"}
            second.sick = True
            await proxy.says(r"warning.*endpoint .* of cluster \"web\" fails .*: status 500")
            await becomes(proxy, 1)
            assert await answers(proxy, 20) == {"a"}
            assert sorted(await obstacles(proxy)) == [[], ["failed_check"]]
            second.sick = False
            await proxy.says(r"endpoint .* is healthy again")
            await becomes(proxy, 2)
            assert await answers(proxy, 8) == {"a", "b"}
            assert await proxy.metric("meshcore_health_check_endpoints") == 2
            # Three in a row, and then each until it was well again.
            assert await proxy.metric("meshcore_health_check_failures_total") >= 3
        for speaker in (first, second):
            assert speaker.checks[0].value(b"host") == speaker.server.address.encode()
            assert speaker.checks[0].value(b"user-agent") == b"meshcore-health-check"


async def test_one_connection_is_kept_and_its_end_is_no_failure(tmp_path: Path) -> None:
    async with speakers("abc") as (keeps, closes, alone):
        closes.closes = True
        document = checked(keeps.server.address, http={"path": "/healthz"})
        (cluster,) = document["clusters"]
        other = checked(closes.server.address, http={"path": "/healthz"})
        document["clusters"].append(cluster | other["clusters"][0] | {"name": "closes"})
        other = checked(alone.server.address, http={"path": "/healthz"}, reuse_connection=False)
        document["clusters"].append(cluster | other["clusters"][0] | {"name": "alone"})
        async with running(tmp_path, document) as proxy:
            for name in ("web", "closes", "alone"):
                await attempted(proxy, 5, cluster=name)
            assert await proxy.metric("meshcore_health_check_failures_total") == 0
        assert keeps.server.connections == 1
        assert closes.server.connections >= 5
        assert alone.server.connections >= 5
        assert alone.checks[0].value(b"connection") == b"close"


async def test_what_is_asked_and_expected_can_be_written(tmp_path: Path) -> None:
    async def script(wire: Wire) -> None:
        while True:
            asked.append(await wire.request())
            await wire.send(b"HTTP/1.1 404 Not Here\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

    asked: list[Message] = []
    async with upstream(script) as other:
        http: dict[str, object] = {"path": "/a?b=1", "host": "api.test", "method": "OPTIONS"}
        http |= {"headers": {"x-check": "yes"}, "expected_statuses": [200, "400-499"]}
        document = checked("127.0.0.1:1", http=http, port=other.port)
        async with running(tmp_path, document) as proxy:
            await attempted(proxy, 3)
            assert await proxy.metric("meshcore_health_check_endpoints_healthy") == 1
        assert other.connections == 1
    first = asked[0]
    assert (first.method, first.target) == (b"OPTIONS", b"/a?b=1")
    assert first.value(b"host") == b"api.test"
    assert first.value(b"x-check") == b"yes"


async def test_the_first_check_finds_who_is_not_there(tmp_path: Path) -> None:
    async def silent(wire: Wire) -> None:
        await wire.rest()

    async with speakers("a") as (speaker,), upstream(silent) as hangs:
        check: dict[str, object] = {"timeout": "300ms", "unhealthy_threshold": 100}
        addresses = (speaker.server.address, "127.0.0.1:1", hangs.address)
        document = checked(*addresses, http={"path": "/healthz"}, **check)
        async with running(tmp_path, document) as proxy:
            await proxy.says(r"endpoint 127.0.0.1:1 of cluster .* fails its health check")
            await proxy.says(rf"endpoint {hangs.address} .*: no answer within 300ms")
            await becomes(proxy, 1)
            assert await answers(proxy, 12) == {"a"}


async def test_checks_follow_the_clusters_tls(tmp_path: Path, authority: Authority) -> None:
    pair = authority.pair("localhost")
    tls = {"ca": str(authority.roots), "server_name": "localhost"}
    async with answering(tls=authority.server(pair)) as server:
        document = checked(server.address, http={})
        (cluster,) = document["clusters"]
        other = {"name": "other", "tls": tls | {"server_name": "other"}}
        document["clusters"] = [cluster | {"tls": tls}, cluster | other]
        async with running(tmp_path, document) as proxy:
            said = await proxy.says(r"cluster \"(.*)\" fails its .*: the TLS handshake failed")
            assert said[1] == "other"
            await attempted(proxy, 4)
            name = "meshcore_health_check_failures_total"
            assert await proxy.metric(name, cluster="web") == 0


async def test_checks_of_http2(tmp_path: Path) -> None:
    (tmp_path / "healthz").write_text("well")
    async with nghttpd(tmp_path) as address:
        document = checked(address, http={"path": "/healthz"})
        (cluster,) = document["clusters"]
        cluster["protocol"] = "http2"
        other = {"name": "other", "health_checks": [QUICK | {"http": {"path": "/gone"}}]}
        document["clusters"].append(cluster | other)
        async with running(tmp_path, document) as proxy:
            said = await proxy.says(r"cluster \"(.*)\" fails its health check: status 404")
            assert said[1] == "other"
            await attempted(proxy, 4)
            name = "meshcore_health_check_failures_total"
            assert await proxy.metric(name, cluster="web") == 0


async def test_grpc_serving_or_not(tmp_path: Path) -> None:
    with serving_health() as (health, address), serving_health(known=False) as (_, other):
        document = checked(address, grpc={"service": "a.B"})
        document["clusters"] += checked(other, grpc={})["clusters"]
        document["clusters"][1]["name"] = "other"
        async with running(tmp_path, document) as proxy:
            await proxy.says(r"\"other\" fails .*: the server has no grpc.health.v1.Health")
            await attempted(proxy, 3, cluster="web")
            name = "meshcore_health_check_failures_total"
            assert await proxy.metric(name, cluster="web") == 0
            health.status = NOT_SERVING
            await proxy.says(r"fails its health check: it is not serving")
            health.status = SERVING
            await proxy.says(r"is healthy again")
        assert set(health.asked) == {b"\x0a\x03a.B"}
        assert len(health.peers) == 1


async def test_tcp_by_bytes(tmp_path: Path) -> None:
    async def script(wire: Wire) -> None:
        await wire.until(b"PING\r\n")
        # In two pieces, and with more than is compared.
        await wire.send(b"+PO")
        await wire.send(answer)

    answer = b"NG\r\nand more"
    async with upstream(script) as server:
        tcp = {"send": "PING\r\n", "receive": {"hex": b"+PONG".hex()}}
        async with running(tmp_path, checked(server.address, tcp=tcp)) as proxy:
            await attempted(proxy, 3)
            assert await proxy.metric("meshcore_health_check_failures_total") == 0
            answer = b"OR\r\n"
            await proxy.says(r"fails its health check: another answer than expected")


async def test_tcp_by_a_connection_to_nginx_and_503_without_it(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(nginx(tmp_path))
        async with running(tmp_path, checked(address, tcp={})) as proxy:
            await attempted(proxy, 2)
            assert await answers(proxy, 1)
            await becomes(proxy, 1)
            await stack.aclose()
            await becomes(proxy, 0)
            async with connect(await proxy.port()) as wire:
                answer = await wire.get()
            assert (answer.status, answer.error) == (503, b"no_healthy_upstream")


async def test_what_was_found_out_outlives_changes(tmp_path: Path) -> None:
    async with speakers("ab") as (first, second):
        second.sick = True
        document = checked(first.server.address, second.server.address, http={"path": "/healthz"})
        async with running(tmp_path, document, "--workers", "1") as proxy:
            await becomes(proxy, 1)
            # The check is another one too: who failed fails until the new one knows better.
            document["clusters"][0]["timeouts"] = {"connect": "3s"}
            document["clusters"][0]["health_checks"] = [
                QUICK | {"jitter": 100, "interval": "1h", "tcp": {}}
            ]
            await proxy.change(document)
            assert await answers(proxy, 4) == {"a"}
            # Without checks nothing speaks against anybody, and nobody is asked.
            del document["clusters"][0]["health_checks"]
            await proxy.change(document)
            before = len(first.checks)
            assert await answers(proxy, 20) == {"a", "b"}
            assert len(first.checks) <= before + 1


async def test_all_of_several_checks_must_pass(tmp_path: Path) -> None:
    async with speakers("a") as (speaker,):
        document = checked(speaker.server.address, tcp={})
        document["clusters"][0]["health_checks"] = [
            QUICK | {"tcp": {}},
            QUICK | {"http": {"path": "/healthz"}},
        ]
        async with running(tmp_path, document) as proxy:
            await attempted(proxy, 4)
            await becomes(proxy, 1)
            speaker.sick = True
            await becomes(proxy, 0)
            speaker.sick = False
            await becomes(proxy, 1)


async def test_requests_come_at_once_in_a_new_cluster(tmp_path: Path) -> None:
    async with speakers("a") as (speaker,):
        document = checked(
            speaker.server.address, http={"path": "/healthz"}, interval="1h", jitter=100
        )
        # The first check is still to come.
        async with talking(tmp_path, document) as wire:
            assert (await wire.get()).body == b"a"
