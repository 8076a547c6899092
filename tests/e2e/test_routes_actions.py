"""Routes that answer instead of going somewhere: redirects and direct responses."""

import json
from base64 import b64encode
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest

from tests.support.bridge import asking
from tests.support.grpc_echo import DEADLINE, client, in_thread
from tests.support.proxy import Document, running, web
from tests.support.wire import Message

ICON = bytes(range(256))
LARGE = "0123456789abcdef" * (1 << 16)

ROUTES: list[dict[str, object]] = [
    {
        "name": "ok",
        "match": {"path": {"exact": "/ok"}},
        "direct_response": {"status": 200, "body": "{}", "content_type": "application/json"},
        "response_headers": {
            "set": {"x-from": "%REQ(:authority)%%REQ(:path)% %RESPONSE_CODE% %ROUTE_NAME%"},
            "add": {"x-details": "%RESPONSE_CODE_DETAILS%", "x-none": "%RESPONSE_FLAGS%"},
        },
    },
    {"match": {"path": {"exact": "/none"}}, "direct_response": {"status": 204}},
    {"match": {"path": {"exact": "/large"}}, "direct_response": {"status": 404, "body": LARGE}},
    {
        "match": {"path": {"exact": "/icon"}},
        "direct_response": {"status": 200, "body_base64": b64encode(ICON).decode()},
        "response_headers": {"set": {"content-type": "image/x-icon"}},
    },
    {
        "match": {"path": {"prefix": "/to"}},
        "redirect": {"scheme": "https", "port": 443, "prefix": "/new"},
    },
    {
        "match": {"path": {"string_prefix": "/OLD", "ignore_case": True}},
        "redirect": {"host": "new.example", "port": 80, "prefix": "/", "code": 308},
    },
    {"to": "web"},
]

versions = pytest.mark.parametrize("version", [1, 2])


def document(folder: Path) -> Document:
    """The routes before an endpoint that doesn't exist."""
    log = {"path": str(folder / "log"), "format": "json"}
    return web("127.0.0.1:1", routes=ROUTES, access_log=log)


def told(answer: Message) -> tuple[int, bytes | None, bytes]:
    """Status, Location and body."""
    return answer.status, answer.value(b"location"), answer.body


@versions
async def test_a_route_answers_itself(tmp_path: Path, version: int) -> None:
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(running(tmp_path, document(tmp_path)))
        speaker = await stack.enter_async_context(asking(await proxy.port(), version))
        await speaker.ask("GET /ok?a=b")
        _, answer = await speaker.response()
        assert (answer.status, answer.body) == (200, b"{}")
        assert answer.value(b"content-type") == b"application/json"
        assert answer.value(b"content-length") == b"2"
        assert answer.value(b"x-from") == b"test/ok?a=b 200 ok"
        assert answer.value(b"x-details") == b"direct_response"
        assert answer.values(b"x-none") == []
        assert answer.error is None
        await speaker.ask("HEAD /ok")
        _, answer = await speaker.response("HEAD")
        assert (answer.status, answer.value(b"content-length")) == (200, b"2")
        await speaker.ask("GET /none")
        _, answer = await speaker.response()
        assert (answer.status, answer.values(b"content-length")) == (204, [])
        await speaker.ask("GET /icon")
        _, answer = await speaker.response()
        assert (answer.value(b"content-type"), answer.body) == (b"image/x-icon", ICON)
        await speaker.ask("GET /large")
        _, answer = await speaker.response()
        assert (answer.status, answer.body) == (404, LARGE.encode())
        assert answer.value(b"content-type") == b"text/plain"
        # An error has its own form and is changed as the route says.
        await speaker.ask("GET /else")
        _, answer = await speaker.response()
        assert answer.error == b"upstream_connect_failed"


@versions
async def test_a_route_sends_elsewhere(tmp_path: Path, version: int) -> None:
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(running(tmp_path, document(tmp_path)))
        speaker = await stack.enter_async_context(asking(await proxy.port(), version))
        for target, status, location in [
            ("/to", 301, b"https://test/new"),
            ("/to/a%2Fb?c=d", 301, b"https://test/new/a%2Fb?c=d"),
            ("/old/x", 308, b"http://new.example//x"),
            ("/Older", 308, b"http://new.example/er"),
            ("/too", 503, None),
        ]:
            await speaker.ask(f"GET {target}")
            _, answer = await speaker.response()
            assert told(answer)[:2] == (status, location), target


@versions
async def test_a_body_that_nobody_wanted_is_read_for_a_moment(tmp_path: Path, version: int) -> None:
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(running(tmp_path, document(tmp_path)))
        port = await proxy.port()
        for _ in range(3):
            speaker = await stack.enter_async_context(asking(port, version))
            await speaker.ask("POST /ok", body=b"x" * 50_000)
            _, answer = await speaker.response()
            assert (answer.status, answer.body) == (200, b"{}")
            if version == 1:
                assert answer.value(b"connection") == b"close"
                assert await speaker.wire.rest() == b""


@versions
async def test_what_is_logged_and_counted(tmp_path: Path, version: int) -> None:
    async with running(tmp_path, document(tmp_path)) as proxy:
        async with asking(await proxy.port(), version) as speaker:
            for target in ("/ok", "/to", "/large"):
                await speaker.ask(f"GET {target}")
                await speaker.response()
        assert await proxy.metric("meshcore_route_requests_total", route="ok") == 1
        labels = {"listener": "web", "code_class": "2xx"}
        assert await proxy.metric("meshcore_listener_responses_total", **labels) == 1
    lines = (tmp_path / "log").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert [entry["response_code"] for entry in entries] == [200, 301, 404]
    assert {entry["response_code_details"] for entry in entries} == {"direct_response"}
    assert {entry["response_flags"] for entry in entries} == {None}
    assert {entry["upstream_cluster"] for entry in entries} == {None}
    assert [entry["bytes_sent"] for entry in entries] == [2, 0, len(LARGE)]
    assert entries[0]["route_name"] == "ok"
    assert entries[0]["request_id"]


async def test_a_grpc_client_reads_a_status(tmp_path: Path) -> None:
    async with running(tmp_path, gone()) as proxy:
        port = await proxy.port()

        def work() -> list[tuple[grpc.StatusCode, str]]:
            found: list[tuple[grpc.StatusCode, str]] = []
            with client(port) as calls:
                for method in ("Echo", "Fail", "Count"):
                    with pytest.raises(grpc.RpcError) as caught:
                        calls.unary(method)(b"", timeout=DEADLINE)
                    assert isinstance(caught.value, grpc.Call)
                    found.append((caught.value.code(), caught.value.details()))
                    assert ("x-route", "yes") in set(caught.value.trailing_metadata()) | set(
                        caught.value.initial_metadata()
                    )
            return found

        assert await in_thread(work) == [
            (grpc.StatusCode.UNAVAILABLE, "back at ü"),
            (grpc.StatusCode.PERMISSION_DENIED, ""),
            (grpc.StatusCode.UNKNOWN, ""),
        ]


def gone() -> Document:
    """Methods of gRPC that routes answer."""
    actions: dict[str, dict[str, object]] = {
        "Echo": {"direct_response": {"status": 503, "body": "back at ü\n"}},
        "Fail": {"direct_response": {"status": 403}},
        "Count": {"redirect": {"host": "b.example"}},
    }
    edits = {"set": {"x-route": "yes"}}
    routes = [
        {"match": {"path": {"exact": f"/test.Echo/{method}"}}, "response_headers": edits, **action}
        for method, action in actions.items()
    ]
    return web("127.0.0.1:1", routes=routes)


async def test_in_document_order_the_first_of_the_most_specific_host_wins(tmp_path: Path) -> None:
    def route(name: str, **match: object) -> dict[str, object]:
        return {"match": match, "direct_response": {"status": 200, "body": name}}

    routes = [
        route("any"),
        route("wild", host="*.a.test", path={"prefix": "/w"}),
        route("api", host="x.a.test", path={"prefix": "/api"}),
        route("longer", host="x.a.test", path={"exact": "/api/v2"}),
        route("post", host="x.a.test", method_match={"regex": "P.*"}),
        route("plain", host="x.a.test", scheme="http", without_headers={"x-no": {"present": True}}),
    ]
    expected = {
        ("GET", "x.a.test", "/api/v2"): "api",
        ("POST", "x.a.test", "/"): "post",
        ("GET", "x.a.test", "/w"): "plain",
        ("GET", "y.a.test", "/w"): "wild",
        ("GET", "y.a.test", "/x"): "",
        ("GET", "b.test", "/x"): "any",
    }
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(
            running(tmp_path, web("127.0.0.1:1", routes=routes, route_order="document"))
        )
        speaker = await stack.enter_async_context(asking(await proxy.port(), 1))
        found = {}
        for method, host, target in expected:
            await speaker.wire.send(f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            answer = await speaker.wire.response()
            found[method, host, target] = answer.body.decode() if answer.status == 200 else ""
        assert found == expected
