"""A client and a server that tell one story in HTTP/1 or in HTTP/2, with the proxy between them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.support import frames
from tests.support.frames import Frames
from tests.support.proxy import Document, Proxy, running, web
from tests.support.streams import Fields
from tests.support.upstream import Upstream, upstream
from tests.support.wire import Message, Wire, connect

# Client's version and upstream's.
BRIDGES = [(1, 1), (1, 2), (2, 1), (2, 2)]
NAMES = [f"{one}to{other}" for one, other in BRIDGES]
NO_BODY = (204, 304)

Pair = tuple[bytes, bytes]
Settings = dict[int, int] | None


class Speaker(Protocol):
    """Either end of a connection, whichever version it speaks; one exchange after the other."""

    wire: Wire

    async def ask(
        self,
        head: str,
        *fields: Pair,
        body: bytes | None = None,
        trailers: Sequence[Pair] = (),
    ) -> None:
        """Send a request: `"GET /path"`, fields, body, trailers."""

    async def response(self, to: str = "GET") -> tuple[list[Message], Message]:
        """The 1xx heads that came first, and the response."""

    async def request(self) -> Message:
        """The next request, with its body."""

    async def answer(
        self,
        status: int,
        *fields: Pair,
        body: bytes = b"",
        trailers: Sequence[Pair] = (),
    ) -> None:
        """Send a response; a HEAD's names its length by a field."""

    async def inform(self, status: int, *fields: Pair) -> None:
        """Send a 1xx head."""


def lines(first: str, fields: Sequence[Pair]) -> bytes:
    """An HTTP/1 head."""
    return b"\r\n".join([first.encode(), *(b"%s: %s" % pair for pair in fields), b"", b""])


def sized(fields: Sequence[Pair], body: bytes, trailers: Sequence[Pair]) -> list[Pair]:
    """Fields with a length, where no trailers follow and none is there."""
    known = trailers or any(name == b"content-length" for name, _ in fields)
    return [*fields] if known else [*fields, (b"content-length", b"%d" % len(body))]


class Http1:
    """A speaker of HTTP/1."""

    def __init__(self, wire: Wire) -> None:
        """Speak on `wire`."""
        self.wire = wire

    async def ask(
        self, head: str, *fields: Pair, body: bytes | None = None, trailers: Sequence[Pair] = ()
    ) -> None:
        """Send a request."""
        await self._say(f"{head} HTTP/1.1", [(b"host", b"test"), *fields], body, trailers)

    async def response(self, to: str = "GET") -> tuple[list[Message], Message]:
        """The 1xx heads that came first, and the response."""
        before: list[Message] = []
        while (message := await self.wire.response(to)).status < 200:
            before.append(message)
        return before, message

    async def request(self) -> Message:
        """The next request."""
        return await self.wire.request()

    async def answer(
        self, status: int, *fields: Pair, body: bytes = b"", trailers: Sequence[Pair] = ()
    ) -> None:
        """Send a response."""
        bare = status in NO_BODY
        await self._say(f"HTTP/1.1 {status} X", [*fields], None if bare else body, trailers)

    async def inform(self, status: int, *fields: Pair) -> None:
        """Send a 1xx head."""
        await self.wire.send(lines(f"HTTP/1.1 {status} X", fields))

    async def _say(
        self, first: str, fields: list[Pair], body: bytes | None, trailers: Sequence[Pair]
    ) -> None:
        if body is None:
            await self.wire.send(lines(first, fields))
        elif trailers:
            coding = (b"transfer-encoding", b"chunked")
            chunk = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
            end = b"0" + lines("", trailers)
            await self.wire.send(lines(first, [*fields, coding]), chunk, end)
        else:
            await self.wire.send(lines(first, sized(fields, body, ())), body)


class Http2:
    """A speaker of HTTP/2; `ident` is the stream of the exchange."""

    def __init__(self, speaks: Frames) -> None:
        """Speak by `frames`."""
        self.frames = speaks
        self.wire = speaks.wire
        self.ident = 0

    async def ask(
        self, head: str, *fields: Pair, body: bytes | None = None, trailers: Sequence[Pair] = ()
    ) -> None:
        """Send a request on a new stream."""
        method, _, target = head.partition(" ")
        if body is not None:
            fields = (*sized(fields, body, trailers),)
        start = frames.get(target, *fields, method=method)
        self.ident = await self.frames.open(start, end=body is None)
        if body is not None:
            await self._rest(body, trailers)

    async def response(self, to: str = "GET") -> tuple[list[Message], Message]:
        """The 1xx heads that came first, and the response."""
        message = await self.frames.until_end(self.ident)
        assert to != "HEAD" or not message.body
        return self.frames.stream(self.ident).informational, message

    async def request(self) -> Message:
        """The next request."""
        self.ident = await self.frames.opened()
        return await self.frames.until_end(self.ident)

    async def answer(
        self, status: int, *fields: Pair, body: bytes = b"", trailers: Sequence[Pair] = ()
    ) -> None:
        """Send a response."""
        bare = status in NO_BODY
        full = [*fields] if bare else sized(fields, body, trailers)
        end = not body and not trailers
        await self.frames.head(self.ident, self._status(status, full), end=end)
        if not end:
            await self._rest(body, trailers)

    async def inform(self, status: int, *fields: Pair) -> None:
        """Send a 1xx head."""
        await self.frames.head(self.ident, self._status(status, fields))

    async def _rest(self, body: bytes, trailers: Sequence[Pair]) -> None:
        await self.frames.data(self.ident, body, end=not trailers)
        if trailers:
            await self.frames.head(self.ident, [*trailers], end=True)

    @staticmethod
    def _status(status: int, fields: Sequence[Pair]) -> Fields:
        return [(b":status", b"%d" % status), *fields]


Story = Callable[[Speaker], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Bridge:
    """A proxy, the upstream behind it and a client before it."""

    proxy: Proxy
    upstream: Upstream
    client: Speaker


def before(address: str, version: int, **listener: object) -> Document:
    """A listener before one endpoint that speaks `version`."""
    document = web(address, **listener)
    document["clusters"][0]["protocol"] = f"http{version}"
    return document


@asynccontextmanager
async def asking(port: int, version: int, settings: Settings = None) -> AsyncIterator[Speaker]:
    """A client that speaks `version` to a port of this machine."""
    async with connect(port) as wire:
        yield Http1(wire) if version == 1 else Http2(await frames.client(wire, settings))


@asynccontextmanager
async def telling(story: Story, version: int, settings: Settings = None) -> AsyncIterator[Upstream]:
    """A server that tells its story once a connection."""

    async def script(wire: Wire) -> None:
        await story(Http1(wire) if version == 1 else Http2(await frames.server(wire, settings)))

    async with upstream(script) as server:
        yield server


@asynccontextmanager
async def bridge(
    folder: Path,
    versions: tuple[int, int],
    story: Story,
    settings: Settings = None,
    **listener: object,
) -> AsyncIterator[Bridge]:
    """A client, the proxy, and a server that tells its story once a connection.

    `settings` are those of both ends; left out, their windows are wide.
    """
    async with telling(story, versions[1], settings) as server:
        document = before(server.address, versions[1], **listener)
        async with (
            running(folder, document) as proxy,
            asking(await proxy.port(), versions[0], settings) as client,
        ):
            yield Bridge(proxy, server, client)
