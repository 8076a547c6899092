"""Upstreams that answer, fail or hang as the test tells them while they run."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import trio

from tests.support.upstream import ok, upstream
from tests.support.wire import Wire

Mood = Literal["well", "failing", "hanging", "resetting"]
FAILURE = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"


@dataclass(slots=True)
class Moody:
    """One of them, and how many requests it got."""

    name: str
    mood: Mood = "well"
    address: str = ""
    requests: int = 0

    async def script(self, wire: Wire) -> None:
        """Serve a connection."""
        while True:
            try:
                await wire.request()
            except trio.TooSlowError:
                continue  # who is left out hears nothing for long
            self.requests += 1
            match self.mood:
                case "well":
                    await wire.send(ok(self.name.encode()))
                case "failing":
                    await wire.send(FAILURE)
                case "resetting":
                    wire.reset()
                    return
                case "hanging":
                    await trio.sleep_forever()


@asynccontextmanager
async def moody(names: str) -> AsyncIterator[Sequence[Moody]]:
    """One per letter, all well."""
    async with AsyncExitStack() as stack:
        servers = [Moody(name) for name in names]
        for server in servers:
            running = await stack.enter_async_context(upstream(server.script))
            server.address = running.address
        yield servers
