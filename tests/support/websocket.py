"""WebSocket over HTTP/1's upgrade and over HTTP/2's extended CONNECT (RFC 8441)."""

from hyperframe.frame import SettingsFrame
from wsproto import ConnectionType, WSConnection
from wsproto.connection import Connection
from wsproto.events import AcceptConnection, CloseConnection, Message, Request, TextMessage

from tests.support import frames
from tests.support.frames import Frames
from tests.support.streams import Fields
from tests.support.wire import Wire

ENABLED = {SettingsFrame.ENABLE_CONNECT_PROTOCOL: 1, SettingsFrame.INITIAL_WINDOW_SIZE: 1 << 20}
CONNECT: Fields = [
    (b":method", b"CONNECT"),
    (b":protocol", b"websocket"),
    (b":scheme", b"http"),
    (b":authority", b"test"),
    (b":path", b"/ws"),
    (b"sec-websocket-version", b"13"),
]


async def echo_websocket(wire: Wire) -> None:
    """A real WebSocket server on HTTP/1: sends every text back, in upper case."""
    server = WSConnection(ConnectionType.SERVER)
    while await wire.more():
        server.receive_data(wire.take(len(wire.buffer)))
        for event in server.events():
            if isinstance(event, Request):
                await wire.send(server.send(AcceptConnection()))
            elif isinstance(event, Message):
                assert isinstance(event.data, str)
                await wire.send(server.send(TextMessage(event.data.upper())))
            elif isinstance(event, CloseConnection):
                await wire.send(server.send(event.response()))


async def text(client: WSConnection, wire: Wire, size: int) -> str:
    """So many characters of text on HTTP/1, in whatever pieces."""
    found = ""
    while len(found) < size:
        assert await wire.more()
        client.receive_data(wire.take(len(wire.buffer)))
        found += "".join(event.data for event in client.events() if isinstance(event, TextMessage))
    return found


class Tunnel:
    """WebSocket on one HTTP/2 stream, from either end."""

    def __init__(self, speaks: Frames, ident: int, side: ConnectionType) -> None:
        """Speak on a stream whose CONNECT was accepted."""
        self.frames = speaks
        self.ident = ident
        self.connection = Connection(side)

    async def send(self, event: TextMessage | CloseConnection, *, end: bool = False) -> None:
        """Send one event."""
        await self.frames.data(self.ident, self.connection.send(event), end=end)

    async def event(self) -> TextMessage | CloseConnection:
        """The next text, or a piece of it, or the close."""
        while True:
            for event in self.connection.events():
                if isinstance(event, TextMessage | CloseConnection):
                    return event
            size = max(1, len(self.frames.stream(self.ident).body))
            self.connection.receive_data(await self.frames.until_body(self.ident, size))

    async def text(self, size: int) -> str:
        """So many characters of text, in whatever pieces."""
        found = ""
        while len(found) < size:
            event = await self.event()
            assert isinstance(event, TextMessage), event
            found += event.data
        return found


async def dial(speaks: Frames, *more: tuple[bytes, bytes]) -> Tunnel:
    """Open a WebSocket on a stream of its own, once the other side has said that it can."""
    while not speaks.settings.get(SettingsFrame.ENABLE_CONNECT_PROTOCOL):
        await speaks.frame()
    ident = await speaks.open([*CONNECT, *more], end=False)
    assert (await speaks.until_head(ident)).status == 200
    return Tunnel(speaks, ident, ConnectionType.CLIENT)


async def echo_tunnel(wire: Wire) -> None:
    """A WebSocket server on HTTP/2: sends every text back, in upper case; one tunnel at a time."""
    speaks = await frames.server(wire, ENABLED)
    while True:
        ident = await speaks.opened()
        head = dict(speaks.stream(ident).heads[0])
        assert (head[b":method"], head[b":protocol"]) == (b"CONNECT", b"websocket")
        assert head[b":scheme"] in {b"http", b"https"}
        assert head[b":path"] == b"/ws"
        assert not {b"sec-websocket-key", b"connection", b"upgrade", b"host"} & head.keys()
        await speaks.head(ident, [(b":status", b"200")])
        tunnel = Tunnel(speaks, ident, ConnectionType.SERVER)
        while isinstance(event := await tunnel.event(), TextMessage):
            await tunnel.send(TextMessage(event.data.upper()))
        assert isinstance(event, CloseConnection)
        await tunnel.send(event.response(), end=True)
