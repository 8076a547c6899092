"""A real Redis on a unix socket: started, asked, stopped and started again."""

import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

PATIENCE = 20.0


class Redis:
    """One server."""

    def __init__(self, folder: Path) -> None:
        """One whose socket stands in `folder`."""
        self._socket = folder / "redis.sock"
        self._process: trio.Process | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"unix:{self._socket}"

    async def start(self, *flags: str) -> None:
        """Start it with nothing in it."""
        command = [
            "redis-server",
            "--port",
            "0",
            "--unixsocket",
            str(self._socket),
            "--save",
            "",
            *flags,
        ]
        self._process = await trio.lowlevel.open_process(
            [*command, *flags], stdout=subprocess.DEVNULL
        )
        with trio.fail_after(PATIENCE):
            while True:
                try:
                    assert (await self.ask("PING"))[:7] in {b"+PONG\r\n", b"-NOAUTH"}
                except OSError:
                    assert self._process.returncode is None
                    await trio.lowlevel.checkpoint()
                else:
                    return

    async def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            with trio.CancelScope(shield=True):
                await self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let it answer nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def ask(self, command: str) -> bytes:
        """The reply to a command in one line."""
        async with await trio.open_unix_socket(str(self._socket)) as stream:
            await stream.send_all(command.encode() + b"\r\n")
            return bytes(await stream.receive_some())


@asynccontextmanager
async def redis(folder: Path, *flags: str) -> AsyncIterator[Redis]:
    """A running server."""
    server = Redis(folder)
    try:
        await server.start(*flags)
        yield server
    finally:
        await server.kill()
