"""gRPC through the proxy, with grpcio on both sides: its four kinds of calls, and how they end."""

import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from tests.support.bridge import before
from tests.support.certificates import Authority
from tests.support.grpc_echo import (
    DEADLINE,
    WHY,
    Client,
    Service,
    client,
    in_thread,
    serving,
    status,
)
from tests.support.proxy import Document, running, web
from tests.support.scale import scaled
from tests.support.wire import PATIENCE

MIB = 1 << 20
Call = Callable[[Client], object]


@asynccontextmanager
async def calling(folder: Path, **listener: object) -> AsyncIterator[tuple[Service, int]]:
    """A gRPC server behind the proxy, and the proxy's port."""
    with serving() as (service, address):
        async with running(folder, before(address, 2, **listener)) as proxy:
            yield service, await proxy.port()


async def ask(port: int, call: Call) -> object:
    """Make a call on a channel of its own, beside trio."""

    def work() -> object:
        with client(port) as calls:
            return call(calls)

    return await in_thread(work)


async def failure(port: int, call: Call) -> grpc.RpcError:
    """The error of a call that must fail."""

    def work() -> grpc.RpcError:
        with client(port) as calls, pytest.raises(grpc.RpcError) as caught:
            call(calls)
        return caught.value

    return await in_thread(work)


def code(error: grpc.RpcError) -> grpc.StatusCode:
    """The status code of an error."""
    assert isinstance(error, grpc.Call)
    found: grpc.StatusCode = error.code()
    return found


def echo(message: bytes = b"hello", method: str = "Echo", timeout: float = DEADLINE) -> Call:
    """A unary call."""
    return lambda calls: calls.unary(method)(message, timeout=timeout)


async def test_unary(tmp_path: Path) -> None:
    async with calling(tmp_path) as (service, port):
        assert await ask(port, echo()) == b"hello"
        assert await ask(port, echo(b"")) == b""
    assert len(service.metadata) == 2


async def test_over_tls(tmp_path: Path, authority: Authority) -> None:
    tls = authority.pair("localhost").document
    credentials = grpc.ssl_channel_credentials(authority.roots.read_bytes())
    async with calling(tmp_path, tls=tls) as (_, port):

        def work() -> object:
            with client(port, credentials) as calls:
                return echo()(calls)

        assert await in_thread(work) == b"hello"


async def test_server_streaming(tmp_path: Path) -> None:
    count = scaled(100_000, 1_000)

    def call(calls: Client) -> list[bytes]:
        return list(calls.count(b"%d" % count, timeout=DEADLINE * 10))

    async with calling(tmp_path) as (_, port):
        assert await ask(port, call) == [b"%d" % number for number in range(count)]


async def test_client_streaming(tmp_path: Path) -> None:
    messages = [b"%d" % number for number in range(scaled(100_000, 1_000))]

    def call(calls: Client) -> object:
        return calls.join(iter(messages), timeout=DEADLINE * 10)

    async with calling(tmp_path) as (_, port):
        assert await ask(port, call) == b",".join(messages)


async def test_both_stream_and_wait_for_each_other(tmp_path: Path) -> None:
    turns = scaled(10_000, 200)

    def call(calls: Client) -> None:
        answered = threading.Semaphore(1)

        def messages() -> Iterator[bytes]:
            for number in range(turns):
                assert answered.acquire(timeout=DEADLINE)
                yield b"turn %d" % number

        answers = calls.upper(messages(), timeout=DEADLINE * 10)
        for number in range(turns):
            assert next(answers) == b"TURN %d" % number
            answered.release()
        assert list(answers) == []

    async with calling(tmp_path) as (_, port):
        await ask(port, call)


async def test_metadata_passes_both_ways(tmp_path: Path) -> None:
    sent = (("x-text", "a b"), ("x-raw-bin", b"\x00\xff\x80,"))

    def call(calls: Client) -> None:
        _, made = calls.unary().with_call(b"", metadata=sent, timeout=DEADLINE)
        assert {*sent, ("x-server", "a")} <= set(made.initial_metadata())
        assert set(sent) <= set(made.trailing_metadata())

    async with calling(tmp_path) as (service, port):
        await ask(port, call)
    assert set(sent) <= service.metadata[0].items()
    assert str(service.metadata[0]["user-agent"]).startswith("grpc-python")


@pytest.mark.parametrize("size", [4 * MIB, 4 * MIB + 1, 16 * MIB])
async def test_large_messages(tmp_path: Path, size: int) -> None:
    message = (bytes(range(251)) * (size // 251 + 1))[:size]
    async with calling(tmp_path) as (_, port):
        assert await ask(port, echo(message)) == message


@pytest.mark.parametrize("number", [1, 3, 5, 7, 16])
async def test_statuses_of_the_server(tmp_path: Path, number: int) -> None:
    async with calling(tmp_path) as (_, port):
        error = await failure(port, echo(b"%d" % number, method="Fail"))
    assert isinstance(error, grpc.Call)
    assert code(error) == status(number)
    assert error.details() == WHY
    assert ("x-why-bin", b"\x00\xff") in error.trailing_metadata()


async def test_a_method_that_is_not_there(tmp_path: Path) -> None:
    async with calling(tmp_path) as (_, port):
        error = await failure(port, echo(method="Nothing"))
    assert code(error) == grpc.StatusCode.UNIMPLEMENTED


async def test_a_deadline_goes_on_and_never_grows(tmp_path: Path) -> None:
    async with calling(tmp_path) as (service, port):
        assert await ask(port, echo(timeout=30)) == b"hello"
    (left,) = service.remaining
    assert left is not None
    assert 20 < left <= 30


def first_of_wait(timeout: float) -> Call:
    """A call that reads a first message, and then waits for more."""

    def call(calls: Client) -> None:
        answers = calls.wait(b"", timeout=timeout)
        assert next(answers) == b"first"
        next(answers)

    return call


async def test_a_deadline_that_passes_ends_the_call_at_both_ends(tmp_path: Path) -> None:
    async with calling(tmp_path) as (service, port):
        error = await failure(port, first_of_wait(0.5))
        assert code(error) == grpc.StatusCode.DEADLINE_EXCEEDED
        assert await in_thread(lambda: service.ended.wait(PATIENCE))


async def test_a_cancellation_reaches_the_server(tmp_path: Path) -> None:
    async with calling(tmp_path) as (service, port):

        def call(calls: Client) -> bool:
            answers = calls.wait(b"", timeout=DEADLINE)
            assert next(answers) == b"first"
            assert service.waiting.wait(PATIENCE)
            answers.cancel()
            # The channel is still open: what the server hears of is the one call.
            gone = service.ended.wait(PATIENCE)
            assert echo()(calls) == b"hello"
            return gone

        assert await ask(port, call) is True


async def test_a_server_that_is_gone_is_unavailable(tmp_path: Path) -> None:
    with serving() as (_, address):
        pass
    async with running(tmp_path, before(address, 2)) as proxy:
        error = await failure(await proxy.port(), echo())
    assert code(error) == grpc.StatusCode.UNAVAILABLE


async def test_errors_of_the_proxy_itself(tmp_path: Path) -> None:
    with serving() as (service, address):
        document: Document = {
            "listeners": [
                {
                    "name": "web",
                    "address": "127.0.0.1:0",
                    "routes": [
                        {"match": {"path": {"exact": "/test.Echo/Echo"}}, "to": "web"},
                        {"match": {"path": {"exact": "/test.Echo/Empty"}}, "to": "empty"},
                        {
                            "match": {"path": {"exact": "/test.Echo/Wait"}},
                            "to": "web",
                            "timeout": "300ms",
                        },
                    ],
                }
            ],
            "clusters": [
                {"name": "web", "protocol": "http2", "endpoints": [address]},
                {"name": "empty", "protocol": "http2", "endpoints": []},
            ],
        }
        async with running(tmp_path, document) as proxy:
            port, found = await proxy.port(), {}
            assert await ask(port, echo()) == b"hello"
            for method in ("Empty", "Elsewhere"):
                found[method] = code(await failure(port, echo(method=method)))
            found["Wait"] = code(await failure(port, first_of_wait(DEADLINE)))
            assert await in_thread(lambda: service.ended.wait(PATIENCE))
    assert found == {
        "Empty": grpc.StatusCode.UNAVAILABLE,
        "Elsewhere": grpc.StatusCode.UNIMPLEMENTED,
        "Wait": grpc.StatusCode.DEADLINE_EXCEEDED,
    }


async def test_calls_of_one_channel_are_balanced(tmp_path: Path) -> None:
    count = scaled(10_000, 200)

    def call(calls: Client) -> Counter[str | bytes]:
        method, found = calls.unary(), Counter[str | bytes]()
        for _ in range(count):
            _, made = method.with_call(b"", timeout=DEADLINE)
            found[dict(made.initial_metadata())["x-server"]] += 1
        return found

    with serving("a") as (_, one), serving("b") as (_, other):
        document = web(one, other)
        document["clusters"][0]["protocol"] = "http2"
        async with running(tmp_path, document) as proxy:
            assert await ask(await proxy.port(), call) == {"a": count // 2, "b": count // 2}
