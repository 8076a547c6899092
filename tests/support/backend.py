"""The benches' backend, written in C: cheap enough that load tests the proxy."""

import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from tests.support.wire import Wire

ROOT = Path(__file__).parent.parent.parent
PROGRAM = os.environ.get("MESHCORE_BACKEND", str(ROOT / ".work/backend"))


@dataclass(frozen=True, slots=True)
class Backend:
    """One running backend; it names itself in `x-backend`."""

    name: str
    port: int
    tcp_port: int
    pid: int

    @property
    def address(self) -> str:
        """Its HTTP address."""
        return f"127.0.0.1:{self.port}"


@asynccontextmanager
async def backend(name: str = "a") -> AsyncIterator[Backend]:
    """A backend on ports of the kernel's choosing."""
    command = [PROGRAM, name, "127.0.0.1", "0", "0"]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    said = b""
    try:
        while said.count(b"\n") < 2:
            data = await process.stdout.receive_some()
            assert data, f"{PROGRAM} ended"
            said += data
        http, tcp = (int(line) for line in said.split())
        yield Backend(name, http, tcp, process.pid)
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            await process.stdout.aclose()


@asynccontextmanager
async def backends(names: str) -> AsyncIterator[list[Backend]]:
    """One backend per letter."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(backend(name)) for name in names]


async def answered_by(wire: Wire, target: str = "/1k") -> str:
    """The name of the backend that answers the next request."""
    answer = await wire.get(target)
    assert answer.status == 200, answer
    return (answer.value(b"x-backend") or b"").decode()
