"""gRPC-Web from a browser's side, bridged to grpcio's server: both codings over both versions."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote

import httpx2
import pytest

from tests.support.bridge import asking, before
from tests.support.grpc_echo import WHY, Service, in_thread, serving
from tests.support.grpc_web import BINARY, TEXT, answering, as_text, call, coded, frame, speaking
from tests.support.proxy import Document, Proxy, running
from tests.support.scale import scaled
from tests.support.wire import PATIENCE

MIB = 1 << 20
ON = {"grpc_web": True}

versions = pytest.mark.parametrize("version", [1, 2])
kinds = pytest.mark.parametrize("kind", [BINARY, TEXT], ids=["binary", "text"])


@asynccontextmanager
async def calling(
    folder: Path, version: int, **listener: object
) -> AsyncIterator[tuple[Service, httpx2.AsyncClient, Proxy]]:
    """A gRPC server behind the proxy, and a client before it."""
    with serving() as (service, address):
        document = before(address, 2, http=ON, **listener)
        async with (
            running(folder, document) as proxy,
            speaking(await proxy.port(), version) as client,
        ):
            yield service, client, proxy


@versions
@kinds
async def test_unary(tmp_path: Path, version: int, kind: str) -> None:
    async with calling(tmp_path, version) as (service, client, _):
        for message in (b"hello", b"", b"\x00\xff" * 1000):
            answer = await call(client, "Echo", coded([message], kind), kind, x_a="b")
            assert answer.response.http_version == f"HTTP/{version}{'.1' * (version == 1)}"
            assert answer.response.status_code == 200
            assert answer.response.headers["content-type"] == kind
            assert answer.response.headers["x-server"] == "a"
            assert "content-length" not in answer.response.headers
            assert answer.messages == [message]
            assert answer.trailers is not None
            assert answer.trailers["grpc-status"] == "0"
            assert answer.trailers["x-a"] == "b"
    assert len(service.metadata) == 3


@versions
@kinds
async def test_messages_come_as_they_are_sent(tmp_path: Path, version: int, kind: str) -> None:
    async with calling(tmp_path, version) as (service, client, _):
        async with answering(client, "Wait", coded([b""], kind), kind) as answer:
            # The server sends no second one before this is here.
            async for message in answer.each():
                assert message == b"first"
                assert await in_thread(lambda: service.waiting.wait(PATIENCE))
                assert answer.trailers is None
                service.ended.set()
        assert answer.status == "0"


@versions
@kinds
async def test_server_streaming(tmp_path: Path, version: int, kind: str) -> None:
    count = scaled(100_000, 1_000)
    async with calling(tmp_path, version) as (_, client, _proxy):
        answer = await call(client, "Count", coded([b"%d" % count], kind), kind)
    assert answer.messages == [b"%d" % number for number in range(count)]
    assert answer.status == "0"


@versions
@kinds
async def test_client_streaming(tmp_path: Path, version: int, kind: str) -> None:
    messages = [b"%d" % number for number in range(100)]
    body = coded(messages, kind)

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 7):
            yield body[at : at + 7]

    async with calling(tmp_path, version) as (_, client, _proxy):
        answer = await call(client, "Join", pieces(), kind)
    assert answer.messages == [b",".join(messages)]


@versions
@kinds
async def test_a_large_message(tmp_path: Path, version: int, kind: str) -> None:
    message = (bytes(range(251)) * (4 * MIB // 251 + 1))[: 4 * MIB]
    async with calling(tmp_path, version) as (_, client, _proxy):
        answer = await call(client, "Echo", coded([message], kind), kind)
    assert answer.messages == [message]


@versions
async def test_text_may_be_padded_anywhere(tmp_path: Path, version: int) -> None:
    whole = frame(b"message!")
    async with calling(tmp_path, version) as (_, client, _proxy):
        for cut in range(len(whole)):
            answer = await call(client, "Echo", as_text(whole[:cut], whole[cut:]), TEXT)
            assert answer.messages == [b"message!"], cut


@versions
async def test_the_answer_is_what_accept_says(tmp_path: Path, version: int) -> None:
    cases = [
        ("application/grpc-web", "*/*", "application/grpc-web"),
        ("application/grpc-web-text", "*/*", "application/grpc-web-text"),
        ("application/grpc-web+proto", "application/grpc-web-text", TEXT),
        ("application/grpc-web-text", "application/grpc-web", "application/grpc-web"),
        ("application/grpc-web+json", "*/*", "application/grpc-web+json"),
    ]
    async with calling(tmp_path, version) as (_, client, _proxy):
        for sent, accept, wanted in cases:
            answer = await call(client, "Echo", coded([b"a"], sent), sent, accept=accept)
            assert answer.response.headers["content-type"] == wanted, sent
            assert answer.messages == [b"a"], sent


@versions
@kinds
async def test_statuses_of_the_server(tmp_path: Path, version: int, kind: str) -> None:
    async with calling(tmp_path, version) as (_, client, _proxy):
        answer = await call(client, "Fail", coded([b"5"], kind), kind)
        assert answer.response.status_code == 200
        assert answer.response.headers["content-type"] == kind
        assert answer.messages == []
        told = answer.response.headers if answer.trailers is None else answer.trailers
        assert told["grpc-status"] == "5"
        assert unquote(told["grpc-message"]) == WHY
        assert told["x-why-bin"].rstrip("=") == "AP8"
        # Nothing of the failed call stands in the next one's way.
        assert (await call(client, "Echo", coded([b"a"], kind), kind)).messages == [b"a"]
        missing = await call(client, "Nothing", coded([b""], kind), kind)
        assert missing.status == "12"


@versions
@kinds
async def test_a_body_that_is_no_call(tmp_path: Path, version: int, kind: str) -> None:
    text = {
        "padding": as_text(frame(b"abc"))[:-1],
        "alphabet": b"AAAA*AAA",
        "cut message": as_text(frame(b"abc")[:-1]),
        "flags": as_text(frame(b"abc", flags=2)),
    }
    binary = {
        "cut prefix": frame(b"abc")[:4],
        "cut message": frame(b"abc")[:-1],
        "flags": frame(b"abc", flags=2),
        "trailers": frame(b"abc") + frame(b"a: b\r\n", flags=0x80),
        "text": as_text(frame(b"abc")),
    }
    async with calling(tmp_path, version) as (_, client, proxy):
        for name, body in (text if kind == TEXT else binary).items():
            answer = await call(client, "Echo", body, kind)
            assert answer.status == "13", name
            assert answer.response.headers["x-meshcore-error"] == "bad_request", name
            assert answer.response.headers["content-type"] == kind
        assert (await call(client, "Echo", coded([b"a"], kind), kind)).messages == [b"a"]
        counted = await proxy.metric("meshcore_cluster_grpc_calls_total", grpc_status="13")
    assert counted == len(text if kind == TEXT else binary)


@versions
@kinds
async def test_deadlines(tmp_path: Path, version: int, kind: str) -> None:
    async with calling(tmp_path, version) as (service, client, proxy):
        whole = await call(client, "Echo", coded([b"a"], kind), kind, grpc_timeout="30S")
        assert whole.messages == [b"a"]
        (left,) = service.remaining
        assert left is not None
        assert 20 < left <= 30
        cut = await call(client, "Wait", coded([b""], kind), kind, grpc_timeout="500m")
        # What had come is whole, and the status is the last frame.
        assert cut.messages == [b"first"]
        assert cut.trailers is not None
        assert cut.status == "4"
        assert await in_thread(lambda: service.ended.wait(PATIENCE))
        assert (await call(client, "Echo", coded([b"a"], kind), kind)).messages == [b"a"]
        for status, count in (("0", 2), ("4", 1)):
            name = "meshcore_cluster_grpc_calls_total"
            assert await proxy.metric(name, grpc_status=status) == count


@versions
@kinds
async def test_errors_of_the_proxy_itself(tmp_path: Path, version: int, kind: str) -> None:
    log = tmp_path / "log.json"
    document: Document = {
        "listeners": [
            {
                "name": "web",
                "address": "127.0.0.1:0",
                "http": {**ON, "explain_errors": True},
                "access_log": {"path": str(log), "format": "json"},
                "routes": [
                    {"match": {"path": {"exact": "/test.Echo/Empty"}}, "to": "empty"},
                    {"match": {"path": {"exact": "/test.Echo/Gone"}}, "to": "gone"},
                ],
            }
        ],
        "clusters": [
            {"name": "empty", "protocol": "http2", "endpoints": []},
            # Port 1 of this machine is nobody's.
            {"name": "gone", "protocol": "http2", "endpoints": ["127.0.0.1:1"]},
        ],
    }
    wanted = {
        "Empty": ("14", "no_healthy_upstream", "UH"),
        "Gone": ("14", "upstream_connect_failed", "UF"),
        "Elsewhere": ("12", "no_route", "NR"),
    }
    async with (
        running(tmp_path, document) as proxy,
        speaking(await proxy.port(), version) as client,
    ):
        for method, (status, code, flags) in wanted.items():
            answer = await call(client, method, coded([b"a"], kind), kind)
            told = answer.response.headers
            assert answer.response.status_code == 200
            assert (told["grpc-status"], told["x-meshcore-error"]) == (status, code)
            assert told["grpc-message"] == code.replace("_", " ")
            assert told["content-type"] == kind
            assert told["x-meshcore-flags"] == flags
            assert answer.messages == []
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    statuses = [(line["grpc_status"], line["response_code"]) for line in lines]
    assert statuses == [(14, 200), (14, 200), (12, 200)]


@versions
async def test_the_log_has_the_status(tmp_path: Path, version: int) -> None:
    log = tmp_path / "log.json"
    told = {"path": str(log), "format": "json"}
    async with calling(tmp_path, version, access_log=told) as (_, client, _proxy):
        await call(client, "Echo", coded([b"a"], BINARY))
        await call(client, "Fail", coded([b"7"], BINARY))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["grpc_status"] for line in lines] == [0, 7]


@versions
async def test_a_client_that_goes_away_ends_the_call(tmp_path: Path, version: int) -> None:
    with serving() as (service, address):
        async with running(tmp_path, before(address, 2, http=ON)) as proxy:
            async with asking(await proxy.port(), version) as client:
                kind = (b"content-type", TEXT.encode())
                await client.ask("POST /test.Echo/Wait", kind, body=as_text(frame(b"")))
                assert await in_thread(lambda: service.waiting.wait(PATIENCE))
                client.wire.reset()
            assert await in_thread(lambda: service.ended.wait(PATIENCE))
