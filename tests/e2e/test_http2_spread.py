"""New endpoints get their share at once, however long their clients' connections stay open."""

from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from queue import SimpleQueue

import pytest
import trio

from tests.support import grpc_echo
from tests.support.bridge import Speaker, asking, before, telling
from tests.support.proxy import Document, Proxy, running

FEW, MANY = 2, 10
WORKERS = 2
CLIENTS = 4
REQUESTS = 50
# From the change on; the machine may be busy.
PATIENCE = 10.0
DEADLINE = 20.0


def spread(addresses: list[str], version: int) -> Document:
    """A listener before these endpoints."""
    document = before(addresses[0], version)
    document["clusters"][0]["endpoints"] = addresses
    return document


def even(counts: Counter[str]) -> None:
    """Round robin is exact in each worker; what was on its way at the change counts besides."""
    assert len(counts) == MANY
    assert max(counts.values()) - min(counts.values()) <= WORKERS + CLIENTS, counts


class Running:
    """Clients that ask all the time, each on one connection."""

    def __init__(self) -> None:
        """Nobody asked."""
        self.counts: Counter[str] = Counter()
        self.stop = False

    async def ask(self, client: Speaker) -> None:
        """Ask until told to stop; no request may fail."""
        while not self.stop:
            await client.ask("GET /")
            _, answer = await client.response()
            assert answer.status == 200
            self.counts[answer.body.decode()] += 1

    async def until(self, count: int) -> None:
        """Wait for so many answers."""
        with trio.fail_after(PATIENCE):
            while self.counts.total() < count:
                await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("versions", [(1, 1), (1, 2), (2, 1), (2, 2)])
async def test_requests_spread_over_new_endpoints(
    tmp_path: Path, versions: tuple[int, int]
) -> None:
    client_version, version = versions

    async def named(name: int) -> str:
        async def story(server: Speaker) -> None:
            while True:
                await server.request()
                await server.answer(200, body=b"%d" % name)

        return (await stack.enter_async_context(telling(story, version))).address

    async with AsyncExitStack() as stack:
        addresses = [await named(name) for name in range(MANY)]
        few = spread(addresses[:FEW], version)
        proxy = await stack.enter_async_context(running(tmp_path, few, "--workers", str(WORKERS)))
        port = await proxy.port()
        clients = [
            await stack.enter_async_context(asking(port, client_version)) for _ in range(CLIENTS)
        ]
        asked = Running()
        async with trio.open_nursery() as nursery:
            for client in clients:
                nursery.start_soon(asked.ask, client)
            await asked.until(REQUESTS)
            assert len(asked.counts) == FEW
            await proxy.change(spread(addresses, version))
            asked.counts.clear()
            await asked.until(MANY * REQUESTS)
            even(asked.counts)
            asked.stop = True


async def test_calls_spread_over_new_endpoints(tmp_path: Path) -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(grpc_echo.serving(f"s{number}")) for number in range(MANY)]
        addresses = [address for _, address in servers]
        few = spread(addresses[:FEW], 2)
        async with running(tmp_path, few, "--workers", str(WORKERS)) as proxy:
            port = await proxy.port()
            channels = [stack.enter_context(grpc_echo.client(port)) for _ in range(CLIENTS)]
            assert set(await calls(channels)) <= {"s0", "s1"}
            lines: SimpleQueue[bytes | None] = SimpleQueue()
            stream = channels[0].upper(iter(lines.get, None), timeout=DEADLINE)
            lines.put(b"before")
            assert await grpc_echo.in_thread(lambda: next(stream)) == b"BEFORE"
            await proxy.change(spread(addresses, 2))
            even(await calls(channels))
            # A stream stays where it is, to its end.
            lines.put(b"after")
            assert await grpc_echo.in_thread(lambda: next(stream)) == b"AFTER"
            lines.put(None)
            assert await grpc_echo.in_thread(lambda: list(stream)) == []
            assert await broken(proxy) == 0


async def calls(channels: list[grpc_echo.Client]) -> Counter[str]:
    """Who answered calls on each channel; none may fail."""
    counts: Counter[str] = Counter()

    def names(client: grpc_echo.Client) -> Iterator[str]:
        echo = client.unary()
        for _ in range(REQUESTS):
            answer, call = echo.with_call(b"x", timeout=DEADLINE)
            assert answer == b"x"
            yield str(dict(call.initial_metadata())["x-server"])

    async def count(client: grpc_echo.Client) -> None:
        counts.update(await grpc_echo.in_thread(lambda: list(names(client))))

    async with trio.open_nursery() as nursery:
        for channel in channels:
            nursery.start_soon(count, channel)
    return counts


async def broken(proxy: Proxy) -> float:
    """Answers that the proxy made itself."""
    return await proxy.metric("meshcore_listener_local_replies_total")
