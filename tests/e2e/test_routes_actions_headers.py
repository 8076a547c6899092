"""What routes change on the way: paths, hosts and headers, over every bridge."""

import re
import socket
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.test_real_programs import curl, nginx
from tests.support.bridge import BRIDGES, NAMES, Speaker, before, bridge
from tests.support.grpc_echo import DEADLINE, client, in_thread, serving
from tests.support.proxy import Document, running, web

if TYPE_CHECKING:
    from tests.support.wire import Message

bridges = pytest.mark.parametrize("versions", BRIDGES, ids=NAMES)

EDITED: dict[str, object] = {
    "name": "edited",
    "request_headers": {
        "set": {
            "X-Forwarded-Proto": "https",
            "x-over": "new %REQ(x-over)%",
            "x-ask": "%REQ(x-nobody?x-b):2%-%PROTOCOL%-%ROUTE_NAME%-%UPSTREAM_CLUSTER%",
            "x-absent": "%REQ(x-nobody)%",
            "x-empty": "",
            "x-id": "%REQ(x-request-id)%",
            "x-machine": "%HOSTNAME%",
            "x-target": "route",
        },
        "add": {"x-more": "2", "x-percent": "100%%", "x-client": "%DOWNSTREAM_REMOTE_ADDRESS%"},
        "remove": ["x-gone", "User-Agent"],
    },
    "response_headers": {
        "set": {"server": "mesh", "x-was": "%RESP(server)%", "x-code": "%RESPONSE_CODE%"},
        "add": {
            "x-more": "b",
            "x-asked": "%REQ(x-b)%",
            "x-host": "%UPSTREAM_CLUSTER% %UPSTREAM_HOST%",
        },
        "remove": ["x-powered-by"],
    },
    "to": [
        {
            "cluster": "web",
            "request_headers": {"set": {"x-target": "target"}, "remove": ["x-percent"]},
            "response_headers": {"add": {"x-more": "c"}, "remove": ["x-secret"]},
        }
    ],
}


@bridges
async def test_headers_are_set_added_and_removed(tmp_path: Path, versions: tuple[int, int]) -> None:
    heard: list[Message] = []

    async def story(server: Speaker) -> None:
        while True:
            heard.append(await server.request())
            await server.inform(103, (b"x-powered-by", b"hint"))
            fields = [(b"server", b"own"), (b"x-more", b"a"), (b"x-secret", b"1")]
            await server.answer(200, *fields, (b"x-powered-by", b"php"), body=b"hello")

    async with bridge(tmp_path, versions, story, routes=[EDITED]) as link:
        fields = [(b"x-over", b"old"), (b"x-over", b"older"), (b"x-b", b"12345"), (b"x-gone", b"1")]
        await link.client.ask("POST /", *fields, (b"user-agent", b"test"), body=b"body")
        hints, answer = await link.client.response()
        address = link.upstream.address.encode()
    (request,) = heard
    assert request.body == b"body"
    assert request.values(b"x-over") == [b"new old"]
    assert request.value(b"x-ask") == b"12-HTTP/%s-edited-web" % [b"1.1", b"2"][versions[0] - 1]
    assert request.values(b"x-absent") == []
    assert request.values(b"x-empty") == [b""]
    assert request.value(b"x-id") == request.value(b"x-request-id") != b""
    assert request.value(b"x-machine") == socket.gethostname().encode()
    assert request.value(b"x-target") == b"target"
    assert request.value(b"x-more") == b"2"
    assert request.value(b"x-forwarded-proto") == b"https"
    assert re.fullmatch(rb"127\.0\.0\.1:\d+", request.value(b"x-client") or b"")
    for gone in (b"x-gone", b"user-agent", b"x-percent"):
        assert request.values(gone) == [], gone
    assert [hint.value(b"x-powered-by") for hint in hints] == [b"hint"]
    assert (answer.status, answer.body) == (200, b"hello")
    assert (answer.value(b"server"), answer.value(b"x-was")) == (b"mesh", b"own")
    assert answer.values(b"x-more") == [b"a", b"b", b"c"]
    assert answer.value(b"x-code") == b"200"
    assert answer.value(b"x-asked") == b"12345"
    assert answer.value(b"x-host") == b"web " + address
    for gone in (b"x-powered-by", b"x-secret"):
        assert answer.values(gone) == [], gone


@bridges
async def test_an_error_is_changed_as_an_answer(tmp_path: Path, versions: tuple[int, int]) -> None:
    async def story(server: Speaker) -> None:
        await server.request()
        server.wire.reset()

    async with bridge(tmp_path, versions, story, routes=[EDITED]) as link:
        await link.client.ask("POST /", (b"x-b", b"1"), body=b"x")
        _, answer = await link.client.response()
    assert answer.error == b"upstream_reset"
    assert (answer.value(b"server"), answer.value(b"x-asked")) == (b"mesh", b"1")
    assert answer.value(b"x-code") == b"502"


REWRITES: list[dict[str, object]] = [
    {"match": {"path": {"prefix": "/api"}}, "to": "web", "rewrite": {"prefix": "/v1"}},
    {"match": {"path": {"string_prefix": "/raw"}}, "to": "web", "rewrite": {"prefix": "/"}},
    {
        "match": {"path": {"exact": "/one"}},
        "to": [{"cluster": "web", "host_rewrite": "target.test"}],
        "rewrite": {"path": "/other", "host": "route.test:81"},
    },
    {
        "match": {"path": {"regex": "/user/.*"}},
        "to": [{"cluster": "web", "host_rewrite": "target.test:82"}],
        "rewrite": {"regex": {"pattern": "^/user/([0-9]+)/(.*)$", "substitution": r"/\2/of/\1"}},
    },
    {"to": "web"},
]


@bridges
async def test_paths_and_hosts_are_rewritten(tmp_path: Path, versions: tuple[int, int]) -> None:
    heard: list[Message] = []

    async def story(server: Speaker) -> None:
        while True:
            heard.append(await server.request())
            await server.answer(200)

    expected = {
        "/api": (b"/v1", b"test"),
        "/api/x?y=/api": (b"/v1/x?y=/api", b"test"),
        "/api//x/./y": (b"/v1//x/y", b"test"),
        "/apix": (b"/apix", b"test"),
        "/raw/x": (b"//x", b"test"),
        "/rawx?": (b"/x?", b"test"),
        "/one?a": (b"/other?a", b"route.test:81"),
        "/user/7/mail?b": (b"/mail/of/7?b", b"target.test:82"),
        "/user/x/mail": (b"/user/x/mail", b"target.test:82"),
    }
    async with bridge(tmp_path, versions, story, routes=REWRITES) as link:
        for target in expected:
            await link.client.ask(f"GET {target}")
            assert (await link.client.response())[1].status == 200
    host = b"host" if versions[1] == 1 else b":authority"
    found = [(one.target, one.value(host)) for one in heard]
    assert found == list(expected.values())


async def test_nginx_sees_what_the_route_wants(tmp_path: Path) -> None:
    async with nginx(tmp_path) as address:
        document = web(
            address,
            routes=[
                {
                    "match": {"path": {"prefix": "/outside"}},
                    "to": "web",
                    "rewrite": {"prefix": "/hello", "host": "inside.test"},
                    "request_headers": {"set": {"x-forwarded-proto": "gopher"}},
                    "response_headers": {"remove": ["Server"], "set": {"x-seen": "%RESP(server)%"}},
                },
            ],
        )
        async with running(tmp_path, document) as proxy:
            site = f"http://127.0.0.1:{await proxy.port()}"
            for version in ("--http1.1", "--http2-prior-knowledge"):
                got = await curl(version, "-D", "-", f"{site}/outside")
                head, body = got.split(b"\r\n\r\n")
                assert body == b"hello from inside.test by gopher\n"
                names = {line.split(b":")[0].lower() for line in head.split(b"\r\n")}
                assert b"server" not in names
                assert b"x-seen: nginx" in head


async def test_grpc_metadata_is_changed_on_both_ways(tmp_path: Path) -> None:
    def routed(address: str) -> Document:
        return before(
            address,
            2,
            routes=[
                {
                    "match": {"headers": {"content-type": "application/grpc"}},
                    "to": "web",
                    "rewrite": {"path": "/test.Echo/Echo"},
                    "request_headers": {"set": {"x-user": "%REQ(x-token)%"}, "remove": ["x-token"]},
                    "response_headers": {"add": {"x-mesh": "yes"}, "remove": ["x-server"]},
                }
            ],
        )

    async with AsyncExitStack() as stack:
        service, address = stack.enter_context(serving())
        proxy = await stack.enter_async_context(running(tmp_path, routed(address)))
        port = await proxy.port()

        def work() -> tuple[object, dict[str, object], dict[str, object]]:
            with client(port) as calls:
                sent = (("x-token", "t"),)
                call = calls.unary("Renamed").with_call(b"hi", metadata=sent, timeout=DEADLINE)
                return (
                    call[0],
                    dict(call[1].initial_metadata()),
                    dict(call[1].trailing_metadata()),
                )

        message, initial, trailing = await in_thread(work)
    assert message == b"hi"
    assert (initial["x-mesh"], initial["x-user"]) == ("yes", "t")
    assert "x-server" not in initial
    assert "x-token" not in service.metadata[0]
    assert "x-mesh" not in trailing
