"""Upstreams whose every byte is the test's: raw socket servers with a script."""

import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import trio

from tests.support.wire import Ended, Message, Wire

Script = Callable[[Wire], Awaitable[None]]
# What a kernel says when the other side went away in the middle; a script needn't care.
GONE = (trio.BrokenResourceError, trio.ClosedResourceError, Ended, OSError, ssl.SSLError)


@dataclass(slots=True)
class Upstream:
    """A server that runs its script once per connection."""

    address: str
    port: int
    connections: int = 0
    requests: list[Message] = field(default_factory=list)

    async def serve(self, script: Script, stream: trio.SocketStream) -> None:
        """Run the script on one connection."""
        self.connections += 1
        async with Wire(stream) as wire:
            with suppress(*GONE):
                await script(wire)


def ok(body: bytes = b"ok", *fields: bytes) -> bytes:
    """A plain answer."""
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *fields, b"", body]
    return b"\r\n".join(lines)


@asynccontextmanager
async def upstream(
    script: Script, tls: ssl.SSLContext | None = None, unix: Path | None = None
) -> AsyncIterator[Upstream]:
    """A server on a port of the kernel's choosing, or on a unix socket."""
    if unix is None:
        listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
        port = listener.socket.getsockname()[1]
        server = Upstream(f"127.0.0.1:{port}", port)
    else:
        raw = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        await raw.bind(str(unix))
        raw.listen(64)
        listener = trio.SocketListener(raw)
        server = Upstream(f"unix:{unix}", 0)

    async def handle(stream: trio.SocketStream) -> None:
        if tls is None:
            await server.serve(script, stream)
            return
        secure = trio.SSLStream(stream, tls, server_side=True, https_compatible=True)
        try:
            await secure.do_handshake()
        except GONE:
            await trio.aclose_forcefully(stream)
            return
        await server.serve(script, secure)  # type: ignore[arg-type]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, handle, [listener])
        yield server
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def answering(
    name: str = "a", tls: ssl.SSLContext | None = None, unix: Path | None = None
) -> AsyncIterator[Upstream]:
    """A well-behaved server: notes each request and answers with its own name."""
    holder: list[Upstream] = []

    async def script(wire: Wire) -> None:
        while True:
            request = await wire.request()
            holder[0].requests.append(request)
            await wire.send(ok(name.encode(), b"X-Upstream: " + name.encode()))

    async with upstream(script, tls, unix) as server:
        holder.append(server)
        yield server
