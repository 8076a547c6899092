"""Endpoints that ask for a pause are left alone, unless nobody else is there."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, contextmanager
from functools import partial
from pathlib import Path

import grpc

from tests.support.grpc_echo import OPTIONS, client, in_thread
from tests.support.proxy import Document, running, web
from tests.support.upstream import Script, answering, upstream
from tests.support.wire import Wire, connect

HELD = "meshcore_cluster_held_back_total"


def honoring(*addresses: str, honors: bool = True) -> Document:
    """A document whose cluster honours what endpoints say."""
    document = web(*addresses)
    document["clusters"][0]["honor_retry_after"] = honors
    return document


def refusing(*fields: bytes, status: bytes = b"503 Full") -> bytes:
    """An answer that asks for a pause."""
    return b"\r\n".join([b"HTTP/1.1 " + status, b"Content-Length: 0", *fields, b"", b""])


CASES = [
    (refusing(b"Retry-After: 20"), True, True),
    (refusing(b"Retry-After: Fri, 01 Jan 2100 00:00:00 GMT"), True, True),
    (refusing(b"Retry-After: 20", status=b"429 Slow"), True, True),
    (refusing(b"Retry-After: 20"), False, False),
    (refusing(b"Retry-After: 20", status=b"404 Gone"), True, False),
    (refusing(b"Retry-After: Fri, 01 Jan 1999 00:00:00 GMT"), True, False),
    (refusing(), True, False),
]


async def test_who_asks_for_a_pause_is_left_alone(tmp_path: Path) -> None:
    def saying(answer: bytes) -> Script:
        async def script(wire: Wire) -> None:
            while True:
                await wire.request()
                await wire.send(answer)

        return script

    document: Document = {"listeners": [], "clusters": []}
    async with AsyncExitStack() as stack:
        well = await stack.enter_async_context(answering("well"))
        for number, (answer, honors, _) in enumerate(CASES):
            full = await stack.enter_async_context(upstream(saying(answer)))
            one = honoring(well.address, full.address, honors=honors)
            name = f"case{number}"
            (listener,), (cluster,) = one["listeners"], one["clusters"]
            document["listeners"].append(listener | {"name": name, "routes": [{"to": name}]})
            document["clusters"].append(cluster | {"name": name})
        async with running(tmp_path, document, "--workers", "1") as proxy:
            for number, (_, _, held) in enumerate(CASES):
                name = f"case{number}"
                async with connect(await proxy.port(name)) as wire:
                    statuses = [(await wire.get()).status for _ in range(20)]
                assert statuses.count(200) == (19 if held else 10), (name, statuses)
                assert await proxy.metric(HELD, cluster=name) == held, name


async def test_the_last_one_is_never_left_alone(tmp_path: Path) -> None:
    async def script(wire: Wire) -> None:
        while True:
            await wire.request()
            await wire.send(refusing(b"Retry-After: 20"))

    async with upstream(script) as one, upstream(script) as other:
        document = honoring(one.address, other.address)
        async with (
            running(tmp_path, document, "--workers", "1") as proxy,
            connect(await proxy.port()) as wire,
        ):
            for _ in range(20):
                answer = await wire.get()
                assert (answer.status, answer.error) == (503, None)


async def test_an_answer_that_is_tried_again_is_heeded_too(tmp_path: Path) -> None:
    async def script(wire: Wire) -> None:
        while True:
            full.requests.append(await wire.request())
            await wire.send(refusing(b"Retry-After: 20"))

    async with answering("well") as well, upstream(script) as full:
        document = honoring(well.address, full.address)
        retries = {"attempts": 1, "retry_on": ["5xx"]}
        document["listeners"][0]["routes"] = [{"to": "web", "retries": retries}]
        async with (
            running(tmp_path, document, "--workers", "1") as proxy,
            connect(await proxy.port()) as wire,
        ):
            assert {(await wire.get()).status for _ in range(20)} == {200}
        assert len(full.requests) == 1


@contextmanager
def echo(name: str, pushback: str | None) -> Iterator[str]:
    """A gRPC server that names itself, or refuses each call with a push-back."""

    def answer(message: bytes, context: grpc.ServicerContext) -> bytes:
        if pushback is not None:
            context.set_trailing_metadata((("grpc-retry-pushback-ms", pushback),))
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")
        return message + name.encode()

    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, options=OPTIONS)
        methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]]
        methods = {"Echo": grpc.unary_unary_rpc_method_handler(answer)}
        handler = grpc.method_handlers_generic_handler("test.Echo", methods)
        server.add_generic_rpc_handlers((handler,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


async def test_push_back_of_grpc(tmp_path: Path) -> None:
    document: Document = {"listeners": [], "clusters": []}
    with ExitStack() as stack:
        well = stack.enter_context(echo("well", None))
        # The second one says that nobody should try again, and no time.
        for name, pushback in {"time": "20000", "none": "-1"}.items():
            one = honoring(well, stack.enter_context(echo("full", pushback)))
            (listener,), (cluster,) = one["listeners"], one["clusters"]
            document["listeners"].append(listener | {"name": name, "routes": [{"to": name}]})
            document["clusters"].append(cluster | {"name": name, "protocol": "http2"})
        async with running(tmp_path, document, "--workers", "1") as proxy:
            for name, refused in {"time": 1, "none": 5}.items():
                calls = partial(failures, await proxy.port(name))
                assert await in_thread(calls) == refused
                assert await proxy.metric(HELD, cluster=name) == (refused == 1)


def failures(port: int) -> int:
    """How many of ten calls fail."""
    failed = 0
    with client(port) as stub:
        for _ in range(10):
            try:
                stub.unary()(b"x", timeout=20)
            except grpc.RpcError:
                failed += 1
    return failed
