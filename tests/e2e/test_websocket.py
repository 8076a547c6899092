"""WebSocket through every bridge: HTTP/1's upgrade and HTTP/2's extended CONNECT on either side."""

from pathlib import Path

import pytest
import trio
from hyperframe.frame import SettingsFrame
from websockets.trio.client import connect as dial_websocket
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Request, TextMessage

from tests.support import frames
from tests.support.asgi import hypercorn_serving
from tests.support.bridge import BRIDGES, NAMES, before
from tests.support.frames import CANCEL, speak
from tests.support.proxy import running
from tests.support.streams import Reset
from tests.support.upstream import answering, upstream
from tests.support.websocket import CONNECT, ENABLED, dial, echo_tunnel, echo_websocket, text
from tests.support.wire import Wire, connect

WORDS = ("one", "two", "three" * 30_000)
DEADLINE = 10.0

versions = pytest.mark.parametrize("version", [1, 2])


async def converse_first(wire: Wire) -> None:
    """A conversation over HTTP/1, from the upgrade to the close."""
    client = WSConnection(ConnectionType.CLIENT)
    await wire.send(client.send(Request(host="test", target="/ws")))
    assert await wire.more()
    client.receive_data(wire.take(len(wire.buffer)))
    # It has checked Sec-WebSocket-Accept.
    assert any(isinstance(event, AcceptConnection) for event in client.events())
    for word in WORDS:
        await wire.send(client.send(TextMessage(word)))
        assert await text(client, wire, len(word)) == word.upper()
    await wire.send(client.send(CloseConnection(1000)))
    assert await wire.more()


async def converse_second(speaks: frames.Frames) -> None:
    """A conversation over HTTP/2, from the CONNECT to the close."""
    tunnel = await dial(speaks)
    for word in WORDS:
        await tunnel.send(TextMessage(word))
        assert await tunnel.text(len(word)) == word.upper()
    await tunnel.send(CloseConnection(1000), end=True)
    assert isinstance(await tunnel.event(), CloseConnection)


@pytest.mark.parametrize("bridge", BRIDGES, ids=NAMES)
async def test_a_conversation(tmp_path: Path, bridge: tuple[int, int]) -> None:
    script = echo_websocket if bridge[1] == 1 else echo_tunnel
    async with (
        upstream(script) as server,
        running(tmp_path, before(server.address, bridge[1])) as proxy,
        connect(await proxy.port()) as wire,
    ):
        if bridge[0] == 1:
            await converse_first(wire)
        else:
            speaks = await frames.client(wire)
            await converse_second(speaks)
            await converse_second(speaks)


async def test_tunnels_beside_requests(tmp_path: Path) -> None:
    async with (
        upstream(echo_websocket) as server,
        running(tmp_path, before(server.address, 1)) as proxy,
        speak(await proxy.port()) as speaks,
    ):
        tunnels = [await dial(speaks) for _ in range(5)]
        for turn in range(10):
            for number, tunnel in enumerate(tunnels):
                await tunnel.send(TextMessage(f"t{number} {turn}"))
            for number, tunnel in enumerate(tunnels):
                said = f"T{number} {turn}"
                assert await tunnel.text(len(said)) == said


async def test_towards_http_1_it_is_an_upgrade(tmp_path: Path) -> None:
    heard = []

    async def script(wire: Wire) -> None:
        heard.append(await wire.head())
        await wire.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")

    async with (
        upstream(script) as server,
        running(tmp_path, before(server.address, 1)) as proxy,
        speak(await proxy.port()) as speaks,
    ):
        ident = await speaks.open([*CONNECT, (b"sec-websocket-protocol", b"chat")], end=False)
        answer = await speaks.until_end(ident)
        assert (answer.status, answer.body) == (403, b"no")
    (head,) = heard
    assert head.start == b"GET /ws HTTP/1.1"
    assert (head.value(b"host"), head.value(b"sec-websocket-protocol")) == (b"test", b"chat")
    assert (head.value(b"upgrade") or b"").lower() == b"websocket"
    assert (head.value(b"connection") or b"").lower() == b"upgrade"
    assert head.value(b"sec-websocket-version") == b"13"
    # Sixteen bytes in base64.
    assert len(head.value(b"sec-websocket-key") or b"") == 24


async def test_a_wrong_accept_is_no_websocket(tmp_path: Path) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n")
        await wire.send(b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n")
        await wire.rest()

    async with (
        upstream(script) as server,
        running(tmp_path, before(server.address, 1)) as proxy,
        speak(await proxy.port()) as speaks,
    ):
        answer = await speaks.until_end(await speaks.open(CONNECT, end=False))
        assert answer.status == 502


async def test_an_upstream_without_extended_connect(tmp_path: Path) -> None:
    async def script(wire: Wire) -> None:
        await (await frames.server(wire)).rest()

    async with (
        upstream(script) as server,
        running(tmp_path, before(server.address, 2)) as proxy,
        connect(await proxy.port()) as wire,
    ):
        client = WSConnection(ConnectionType.CLIENT)
        await wire.send(client.send(Request(host="test", target="/ws")))
        answer = await wire.response()
        assert answer.status in {501, 502, 503}
        assert answer.error


async def test_we_offer_extended_connect(tmp_path: Path) -> None:
    async with (
        answering() as server,
        running(tmp_path, before(server.address, 1)) as proxy,
        speak(await proxy.port()) as speaks,
    ):
        while not speaks.settings:
            await speaks.frame()
        assert speaks.settings[SettingsFrame.ENABLE_CONNECT_PROTOCOL] == 1


@versions
async def test_a_client_that_gives_up_ends_the_tunnel(tmp_path: Path, version: int) -> None:
    ended = trio.Event()

    async def script(wire: Wire) -> None:
        if version == 1:
            # A stream's reset is one of the connection behind it (RFC 9113 §8.5).
            with pytest.raises(trio.BrokenResourceError):
                await echo_websocket(wire)
        else:
            speaks = await frames.server(wire, ENABLED)
            ident = await speaks.opened()
            await speaks.head(ident, [(b":status", b"200")])
            while speaks.stream(ident).reset is None:
                await speaks.frame()
        ended.set()

    async with (
        upstream(script) as server,
        running(tmp_path, before(server.address, version)) as proxy,
        speak(await proxy.port()) as speaks,
    ):
        tunnel = await dial(speaks)
        await speaks.reset(tunnel.ident, CANCEL)
        with trio.fail_after(DEADLINE):
            await ended.wait()


async def test_an_upstream_that_goes_away_ends_the_tunnel(tmp_path: Path) -> None:
    async def script(wire: Wire) -> None:
        server = WSConnection(ConnectionType.SERVER)
        assert await wire.more()
        server.receive_data(wire.take(len(wire.buffer)))
        assert [type(event) for event in server.events()] == [Request]
        await wire.send(server.send(AcceptConnection()))
        await wire.more()
        wire.reset()

    async with (
        upstream(script) as server,
        running(tmp_path, before(server.address, 1)) as proxy,
        speak(await proxy.port()) as speaks,
    ):
        tunnel = await dial(speaks)
        await tunnel.send(TextMessage("hello"))
        with pytest.raises(Reset):
            await speaks.until_end(tunnel.ident)


@versions
async def test_a_real_client_and_a_real_server(tmp_path: Path, version: int) -> None:
    async with (
        hypercorn_serving() as address,
        running(tmp_path, before(address, version)) as proxy,
        dial_websocket(
            f"ws://127.0.0.1:{await proxy.port()}/ws",
            proxy=None,
            # Over HTTP/2 hypercorn 0.18 answers a close and then never ends the stream.
            close_timeout=1,
            subprotocols=["chat"],  # type: ignore[list-item]
        ) as client,
    ):
        assert client.subprotocol == "chat"
        for word in WORDS:
            await client.send(word)
            assert await client.recv() == word.upper()
        await client.send(bytes(range(256)))
        assert await client.recv() == bytes(reversed(range(256)))
