"""HTTP/1 as bytes, from either end of a connection.

It frames messages and judges nothing, so that a test sees what really was sent.
"""

import math
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

import trio

# No test waits longer than this for bytes that should come at once.
PATIENCE = 10.0
PIECE = 65536


class Ended(Exception):
    """The other side ended before the message was complete."""


@dataclass(slots=True)
class Message:
    """A request or a response."""

    start: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes = b""
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)

    @property
    def status(self) -> int:
        """A response's status."""
        return int(self.start.split(b" ", 2)[1])

    @property
    def method(self) -> bytes:
        """A request's method."""
        return self.start.split(b" ", 1)[0]

    @property
    def target(self) -> bytes:
        """A request's target."""
        return self.start.split(b" ")[1]

    def values(self, name: bytes) -> list[bytes]:
        """All values of a field, in their order."""
        return [value for known, value in self.fields if known.lower() == name.lower()]

    def value(self, name: bytes) -> bytes | None:
        """The only value of a field; None where it is absent."""
        found = self.values(name)
        assert len(found) <= 1, (name, found)
        return found[0] if found else None

    @property
    def error(self) -> bytes | None:
        """The code of a local reply."""
        return self.value(b"x-meshcore-error")


def parse_fields(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Fields of a head or of trailers."""
    pairs = (line.partition(b":") for line in lines)
    return [(name, value.strip(b" \t")) for name, _, value in pairs]


class Wire:
    """One end of a connection."""

    def __init__(self, stream: trio.SocketStream | trio.SSLStream[trio.SocketStream]) -> None:
        """Take over a connected stream."""
        self.stream = stream
        self.buffer = bytearray()

    async def __aenter__(self) -> Self:
        """Nothing to begin."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await trio.aclose_forcefully(self.stream)

    @property
    def socket(self) -> trio.socket.SocketType:
        """The socket below, also below TLS."""
        stream = self.stream
        return (stream.transport_stream if isinstance(stream, trio.SSLStream) else stream).socket

    async def send(self, *pieces: bytes) -> None:
        """Send all of it."""
        with trio.fail_after(PATIENCE):
            await self.stream.send_all(b"".join(pieces))

    async def end(self) -> None:
        """Send our FIN; the other direction stays open."""
        assert isinstance(self.stream, trio.SocketStream)
        await self.stream.send_eof()

    def reset(self) -> None:
        """Close with a RST."""
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.socket.close()

    async def more(self, limit: int = PIECE) -> bool:
        """Read once; False at the end."""
        with trio.fail_after(PATIENCE):
            data = await self.stream.receive_some(limit)
        self.buffer += data
        return bool(data)

    async def until(self, mark: bytes) -> bytes:
        """Everything up to and with `mark`."""
        while (at := self.buffer.find(mark)) < 0:
            if not await self.more():
                raise Ended(bytes(self.buffer))
        return self.take(at + len(mark))

    async def exactly(self, size: int) -> bytes:
        """So many bytes."""
        while len(self.buffer) < size:
            if not await self.more():
                raise Ended(bytes(self.buffer))
        return self.take(size)

    async def rest(self) -> bytes:
        """Everything until the other side ends."""
        while await self.more():
            pass
        return self.take(len(self.buffer))

    def take(self, size: int) -> bytes:
        """So many bytes that are here."""
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken

    async def head(self) -> Message:
        """A head, without its body."""
        lines = (await self.until(b"\r\n\r\n"))[:-4].split(b"\r\n")
        return Message(lines[0], parse_fields(lines[1:]))

    async def request(self) -> Message:
        """A request with its body."""
        message = await self.head()
        if message.values(b"transfer-encoding") or message.values(b"content-length"):
            await self.body(message)
        return message

    async def response(self, to: str = "GET") -> Message:
        """A response with its body, as its framing and the request's method say."""
        message = await self.head()
        bare = to == "HEAD" or message.status in {204, 304} or message.status < 200
        if not (bare or (to == "CONNECT" and message.status < 300)):
            await self.body(message)
        return message

    async def body(self, message: Message) -> None:
        """Read a message's body into it."""
        if message.values(b"transfer-encoding"):
            while chunk := await self.chunk():
                message.chunks.append(chunk)
            message.body = b"".join(message.chunks)
            await self.read_trailers(message)
        elif (length := message.value(b"content-length")) is not None:
            message.body = await self.exactly(int(length))
        else:
            message.body = await self.rest()

    async def chunk(self) -> bytes:
        """One chunk's data; empty for the last."""
        size = int((await self.until(b"\r\n")).split(b";")[0], 16)
        data = await self.exactly(size)
        if size:
            assert await self.exactly(2) == b"\r\n"
        return data

    async def read_trailers(self, message: Message) -> None:
        """Read what follows the last chunk."""
        while (line := await self.until(b"\r\n")) != b"\r\n":
            message.trailers += parse_fields([line[:-2]])

    async def ended(self) -> bool:
        """Whether the other side ends without sending another byte; a reset counts as an end."""
        try:
            return not self.buffer and not await self.more()
        except trio.BrokenResourceError:
            return True

    async def get(self, target: str = "/", host: str = "test", *more: str) -> Message:
        """Ask and read the answer; the connection stays open."""
        lines = [f"GET {target} HTTP/1.1", f"Host: {host}", *more]
        await self.send("\r\n".join([*lines, "", ""]).encode())
        return await self.response()


@asynccontextmanager
async def connect(
    port: int,
    tls: ssl.SSLContext | None = None,
    server_name: str = "localhost",
    receive_buffer: int | None = None,
) -> AsyncIterator[Wire]:
    """A connection to a port of this machine."""
    raw = trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if receive_buffer is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    with raw, trio.fail_after(PATIENCE) as patience:
        await raw.connect(("127.0.0.1", port))
        stream: trio.SocketStream | trio.SSLStream[trio.SocketStream] = trio.SocketStream(raw)
        if tls is not None:
            assert isinstance(stream, trio.SocketStream)
            stream = trio.SSLStream(stream, tls, server_hostname=server_name, https_compatible=True)
            await stream.do_handshake()
        # The test has its own deadlines.
        patience.deadline = math.inf
        async with Wire(stream) as wire:
            yield wire
