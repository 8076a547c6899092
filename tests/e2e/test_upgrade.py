"""Upgrades: a pipe of bytes after the upstream's 101, and nothing before."""

from pathlib import Path

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Request, TextMessage

from tests.support.proxy import talking, web
from tests.support.upstream import answering, upstream
from tests.support.websocket import echo_websocket, text
from tests.support.wire import Wire

ASK = b"GET /ws HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n"


async def test_websocket(tmp_path: Path) -> None:
    async with upstream(echo_websocket) as server, talking(tmp_path, web(server.address)) as wire:
        client = WSConnection(ConnectionType.CLIENT)
        await wire.send(client.send(Request(host="t", target="/ws")))
        assert await wire.more()
        client.receive_data(wire.take(len(wire.buffer)))
        assert any(isinstance(event, AcceptConnection) for event in client.events())
        for word in ("one", "two", "three" * 10_000):
            await wire.send(client.send(TextMessage(word)))
            assert await text(client, wire, len(word)) == word.upper()
        await wire.send(client.send(CloseConnection(1000)))
        assert await wire.more()


async def test_bytes_sent_too_early_wait_for_the_101(tmp_path: Path) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\nhi")
        assert await wire.exactly(5) == b"early"
        await wire.send(b"bye")

    async with upstream(script) as server, talking(tmp_path, web(server.address)) as wire:
        await wire.send(ASK, b"early")
        head = await wire.head()
        assert (head.status, head.value(b"upgrade")) == (101, b"raw")
        assert await wire.rest() == b"hibye"


async def test_a_refused_upgrade_closes_and_parses_nothing_more(tmp_path: Path) -> None:
    async with answering() as server, talking(tmp_path, web(server.address)) as wire:
        await wire.send(ASK, b"GET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n")
        assert (await wire.response()).status == 200
        assert await wire.ended()
    assert [request.target for request in server.requests] == [b"/ws"]


async def test_half_closes_pass_through_a_tunnel(tmp_path: Path) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n")
        await wire.send(b"got " + await wire.rest())

    async with upstream(script) as server, talking(tmp_path, web(server.address)) as wire:
        await wire.send(ASK)
        assert (await wire.head()).status == 101
        await wire.send(b"all")
        await wire.end()
        assert await wire.rest() == b"got all"
