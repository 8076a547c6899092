"""A server that works on so many requests at once, each for so long; the others queue."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import trio

from tests.support.upstream import GONE, ok


@dataclass(slots=True)
class Slots:
    """What it does and has done."""

    port: int
    seconds: float
    served: int = 0

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"


@asynccontextmanager
async def slots(count: int, seconds: float) -> AsyncIterator[Slots]:
    """A server of `count` slots of `seconds` each, whose queue has no end."""
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=1024))[0]
    server = Slots(listener.socket.getsockname()[1], seconds)
    free = trio.CapacityLimiter(count)
    answer = ok()

    async def handle(stream: trio.SocketStream) -> None:
        with suppress(*GONE):
            while head := await stream.receive_some(65536):
                # Requests without bodies, one after the other: each comes in one piece.
                assert head.endswith(b"\r\n\r\n"), head
                async with free:
                    await trio.sleep(server.seconds)
                server.served += 1
                await stream.send_all(answer)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, handle, [listener])
        yield server
        nursery.cancel_scope.cancel()
