"""HTTP/2 as frames, from either end of a connection.

It keeps both sides' windows and answers SETTINGS and PING, so that a test can tell its story in
heads and bodies; it judges nothing, and whatever frame a test makes is sent as it is.
"""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import hpack
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from tests.support.streams import Fields, Reset, Stream
from tests.support.upstream import GONE
from tests.support.wire import Message, Wire, connect

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_HEAD = 9
LARGEST_FRAME = 1 << 14
FIRST_WINDOW = (1 << 16) - 1
# What we let the other side send before we have read it.
OUR_WINDOW = 1 << 20
LARGEST_DECODED = 1 << 30

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR = 0, 1, 2
REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 7, 8, 11


class Frames:
    """One end of an HTTP/2 connection."""

    def __init__(self, wire: Wire, first_stream: int, their_stream: int) -> None:
        """Take over a connected wire on which nothing was said yet."""
        self.wire = wire
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder(LARGEST_DECODED)
        self.streams: dict[int, Stream] = {}
        self.settings: dict[int, int] = {}
        self.goaways: list[GoAwayFrame] = []
        self.window = FIRST_WINDOW
        # Whether what was read is given back to the other side's windows.
        self.generous = True
        # Whether SETTINGS and PING are answered.
        self.polite = True
        self._next = first_stream
        self._unheard = their_stream
        self._block = bytearray()
        self._block_ends_stream = False

    async def send(self, *frames: Frame) -> None:
        """Send frames as they are."""
        await self.wire.send(*(frame.serialize() for frame in frames))

    async def begin(self, *, preface: bytes, settings: dict[int, int] | None = None) -> None:
        """Say what opens a connection."""
        first = {SettingsFrame.INITIAL_WINDOW_SIZE: OUR_WINDOW} if settings is None else settings
        await self.wire.send(preface, SettingsFrame(settings=first).serialize())
        if settings is None:
            await self.send(WindowUpdateFrame(0, OUR_WINDOW - FIRST_WINDOW))

    # Reading

    async def frame(self) -> Frame:
        """The next frame, noted."""
        head = await self.wire.exactly(FRAME_HEAD)
        frame, length = Frame.parse_frame_header(memoryview(head))
        frame.parse_body(memoryview(await self.wire.exactly(length)))
        await self._note(frame, length)
        return frame

    async def _note(self, frame: Frame, length: int) -> None:
        if isinstance(frame, DataFrame):
            await self._take_data(frame, length)
        elif isinstance(frame, HeadersFrame | ContinuationFrame):
            self._take_head(frame)
        elif isinstance(frame, RstStreamFrame):
            self.stream(frame.stream_id).reset = frame.error_code
        elif isinstance(frame, GoAwayFrame):
            self.goaways.append(frame)
        elif isinstance(frame, WindowUpdateFrame):
            self._take_window(frame)
        elif "ACK" not in frame.flags:
            await self._answer(frame)

    async def _answer(self, frame: Frame) -> None:
        if isinstance(frame, SettingsFrame):
            self._take_settings(frame.settings)
            if self.polite:
                await self.send(SettingsFrame(flags=["ACK"]))
        elif isinstance(frame, PingFrame) and self.polite:
            await self.send(PingFrame(opaque_data=frame.opaque_data, flags=["ACK"]))

    def _take_window(self, frame: WindowUpdateFrame) -> None:
        if frame.stream_id:
            self.stream(frame.stream_id).window += frame.window_increment
        else:
            self.window += frame.window_increment

    def _take_settings(self, settings: dict[int, int]) -> None:
        before = self.settings.get(SettingsFrame.INITIAL_WINDOW_SIZE, FIRST_WINDOW)
        self.settings.update(settings)
        grown = self.settings.get(SettingsFrame.INITIAL_WINDOW_SIZE, FIRST_WINDOW) - before
        for stream in self.streams.values():
            stream.window += grown
        if SettingsFrame.HEADER_TABLE_SIZE in settings:
            self.encoder.header_table_size = settings[SettingsFrame.HEADER_TABLE_SIZE]

    async def _take_data(self, frame: DataFrame, length: int) -> None:
        stream = self.stream(frame.stream_id)
        stream.body += frame.data
        stream.ended = "END_STREAM" in frame.flags
        if length and self.generous:
            back = [WindowUpdateFrame(0, length)]
            if not stream.ended:
                back.append(WindowUpdateFrame(frame.stream_id, length))
            await self.send(*back)

    def _take_head(self, frame: HeadersFrame | ContinuationFrame) -> None:
        if isinstance(frame, HeadersFrame):
            self._block_ends_stream = "END_STREAM" in frame.flags
        self._block += frame.data
        if "END_HEADERS" in frame.flags:
            fields = self.decoder.decode(bytes(self._block), raw=True)
            self._block.clear()
            stream = self.stream(frame.stream_id)
            stream.heads.append([(bytes(name), bytes(value)) for name, value in fields])
            stream.ended = self._block_ends_stream

    def stream(self, ident: int) -> Stream:
        """A stream's account, opened where it is new."""
        if ident not in self.streams:
            window = self.settings.get(SettingsFrame.INITIAL_WINDOW_SIZE, FIRST_WINDOW)
            self.streams[ident] = Stream(ident, window)
        return self.streams[ident]

    async def until_head(self, ident: int) -> Message:
        """Read until a stream's head is there, 1xx left aside."""
        stream = self.stream(ident)
        while len(stream.heads) <= len(stream.informational):
            await self._turn(stream)
        return stream.message

    async def until_end(self, ident: int) -> Message:
        """Read until a stream has ended."""
        stream = self.stream(ident)
        while not stream.ended:
            await self._turn(stream)
        return stream.message

    async def until_body(self, ident: int, size: int) -> bytes:
        """Read until so many bytes of a stream's body are there, and take them."""
        stream = self.stream(ident)
        while len(stream.body) < size:
            assert not stream.ended, stream
            await self._turn(stream)
        taken = bytes(stream.body[:size])
        del stream.body[:size]
        return taken

    async def _turn(self, stream: Stream) -> None:
        if stream.reset is not None:
            raise Reset(stream.reset)
        await self.frame()

    async def opened(self) -> int:
        """The next stream that the other side opened; its head is there."""
        ident = self._unheard
        while not (ident in self.streams and self.streams[ident].heads):
            await self.frame()
        self._unheard += 2
        return ident

    async def goaway(self) -> GoAwayFrame:
        """Read until the next GOAWAY."""
        seen = len(self.goaways)
        while len(self.goaways) == seen:
            await self.frame()
        return self.goaways[-1]

    async def rest(self) -> None:
        """Read until the connection ends, whatever way."""
        try:
            while True:
                await self.frame()
        except GONE:
            return

    # Writing

    async def head(self, ident: int, fields: Fields, *, end: bool = False) -> None:
        """Send a head or trailers."""
        block = self.encoder.encode(fields)
        pieces = [block[at : at + LARGEST_FRAME] for at in range(0, len(block), LARGEST_FRAME)]
        frames: list[Frame] = [HeadersFrame(ident, pieces[0], flags=["END_STREAM"] if end else [])]
        frames += [ContinuationFrame(ident, piece) for piece in pieces[1:]]
        frames[-1].flags.add("END_HEADERS")
        await self.send(*frames)

    async def open(self, fields: Fields, *, end: bool = True) -> int:
        """Send a request's head on a new stream."""
        ident, self._next = self._next, self._next + 2
        self.stream(ident)
        await self.head(ident, fields, end=end)
        return ident

    def room(self, ident: int) -> int:
        """How many bytes one frame may carry now."""
        return max(0, min(self.window, self.stream(ident).window, LARGEST_FRAME))

    async def data(self, ident: int, data: bytes, *, end: bool = False) -> None:
        """Send a body, as fast as the other side's windows let us."""
        stream, rest = self.stream(ident), memoryview(data)
        while rest:
            room = min(self.room(ident), len(rest))
            if not room:
                await self._turn(stream)
                continue
            self.window -= room
            stream.window -= room
            flags = ["END_STREAM"] if end and room == len(rest) else []
            await self.send(DataFrame(ident, bytes(rest[:room]), flags=flags))
            rest = rest[room:]
        if end and not data:
            await self.send(DataFrame(ident, b"", flags=["END_STREAM"]))

    async def reset(self, ident: int, code: int = CANCEL) -> None:
        """Reset a stream."""
        await self.send(RstStreamFrame(ident, code))


def get(target: str = "/", *more: tuple[bytes, bytes], method: str = "GET") -> Fields:
    """A request's head."""
    pseudo = [(b":method", method.encode()), (b":scheme", b"http"), (b":authority", b"test")]
    return [*pseudo, (b":path", target.encode()), *more]


async def client(wire: Wire, settings: dict[int, int] | None = None) -> Frames:
    """The client's end of a connected wire."""
    frames = Frames(wire, first_stream=1, their_stream=2)
    await frames.begin(preface=PREFACE, settings=settings)
    return frames


async def server(wire: Wire, settings: dict[int, int] | None = None) -> Frames:
    """The server's end of an accepted wire."""
    frames = Frames(wire, first_stream=2, their_stream=1)
    assert await wire.exactly(len(PREFACE)) == PREFACE
    await frames.begin(preface=b"", settings=settings)
    return frames


@asynccontextmanager
async def speak(
    port: int, tls: ssl.SSLContext | None = None, settings: dict[int, int] | None = None
) -> AsyncIterator[Frames]:
    """An HTTP/2 connection to a port of this machine."""
    async with connect(port, tls) as wire:
        yield await client(wire, settings)
