"""Routing: the most specific route wins, as Gateway API orders them; shares are weights."""

from contextlib import AsyncExitStack
from pathlib import Path

from tests.support.proxy import Document, running, talking
from tests.support.scale import scaled
from tests.support.upstream import answering
from tests.support.wire import Wire, connect

ROUTES: list[dict[str, object]] = [
    {"to": "default"},
    {"match": {"path": {"prefix": "/"}, "host": "a.test"}, "to": "host"},
    {"match": {"host": "*.a.test"}, "to": "wildcard"},
    {"match": {"host": "a.test", "path": {"prefix": "/api"}}, "to": "prefix"},
    {"match": {"host": "a.test", "path": {"prefix": "/api/v2"}}, "to": "longer"},
    {"match": {"host": "a.test", "path": {"exact": "/api/v2"}}, "to": "exact"},
    {"match": {"host": "a.test", "path": {"regex": "/user/[0-9]+"}}, "to": "regex"},
    {"match": {"host": "a.test", "path": {"prefix": "/api"}, "method": "PUT"}, "to": "method"},
    {
        "match": {"host": "a.test", "path": {"prefix": "/api"}, "headers": {"x-canary": "1"}},
        "to": "header",
    },
    {"match": {"host": "a.test", "path": {"prefix": "/api"}, "query": {"v": "2"}}, "to": "query"},
]
EXPECTED = {
    ("GET", "other.test", "/"): "default",
    ("GET", "a.test", "/"): "host",
    ("GET", "A.TEST:8080", "/x"): "host",
    ("GET", "a.test.", "/x"): "host",
    ("GET", "x.a.test", "/"): "wildcard",
    ("GET", "x.y.a.test", "/"): "wildcard",
    ("GET", "a.test", "/api"): "prefix",
    ("GET", "a.test", "/api/x"): "prefix",
    ("GET", "a.test", "/apix"): "host",
    ("GET", "a.test", "/api/v2"): "exact",
    ("GET", "a.test", "/api/v2/"): "longer",
    ("GET", "a.test", "/api/v2/x"): "longer",
    ("GET", "a.test", "/user/7"): "regex",
    ("GET", "a.test", "/user/7/x"): "host",
    ("PUT", "a.test", "/api/x"): "method",
    ("GET", "a.test", "/api/x?v=2"): "query",
    ("GET", "a.test", "/api/x?w=2&v=2"): "query",
    ("GET", "a.test", "/api/x?v=3"): "prefix",
    ("GET", "a.test", "/x/../api/y"): "prefix",
    ("GET", "a.test", "/x/%2e%2e/api/y"): "prefix",
}


async def asked(wire: Wire, method: str, host: str, target: str, *fields: str) -> str:
    """Who answers this."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *fields, "", ""]
    await wire.send("\r\n".join(lines).encode())
    return (await wire.response()).body.decode()


async def test_the_most_specific_route_wins(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        clusters: list[dict[str, object]] = []
        for name in sorted({str(route["to"]) for route in ROUTES}):
            server = await stack.enter_async_context(answering(name))
            clusters.append({"name": name, "endpoints": [server.address]})
        document: Document = {
            "listeners": [{"name": "web", "address": "127.0.0.1:0", "routes": ROUTES}],
            "clusters": clusters,
        }
        proxy = await stack.enter_async_context(running(tmp_path, document))
        wire = await stack.enter_async_context(connect(await proxy.port()))
        found = {key: await asked(wire, *key) for key in EXPECTED}
        assert found == EXPECTED
        assert await asked(wire, "GET", "a.test", "/api/x", "X-Canary: 1") == "header"
        assert await asked(wire, "GET", "a.test", "/api/x", "X-Canary: 2") == "prefix"


async def test_shares_follow_the_weights(tmp_path: Path) -> None:
    count = scaled(20_000, 400)
    async with answering("big") as big, answering("small") as small, answering("none") as none:
        servers = {"big": big, "small": small, "none": none}
        to = [{"cluster": "big", "weight": 90}, {"cluster": "small", "weight": 10}]
        document: Document = {
            "listeners": [
                {
                    "name": "web",
                    "address": "127.0.0.1:0",
                    "routes": [{"to": [*to, {"cluster": "none", "weight": 0}]}],
                }
            ],
            "clusters": [
                {"name": name, "endpoints": [server.address]} for name, server in servers.items()
            ],
        }
        async with talking(tmp_path, document) as wire:
            for _ in range(count):
                await wire.get()
    assert none.requests == []
    # Within a point, at small counts within five standard deviations of a binomial share.
    share = len(small.requests) / count
    assert abs(share - 0.1) < max(0.01, 5 * (0.1 * 0.9 / count) ** 0.5 * (count < 20_000))
    assert len(big.requests) + len(small.requests) == count
