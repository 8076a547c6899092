"""A hostile HTTP/2 client beside a well-behaved one, and what must come of both."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import trio
from hyperframe.frame import Frame, PingFrame, SettingsFrame

from tests.support.bridge import before
from tests.support.frames import ENHANCE_YOUR_CALM, PREFACE, Frames, get, speak
from tests.support.proxy import Proxy, running
from tests.support.upstream import GONE
from tests.support.wire import PATIENCE, Wire

# After so many frames of abuse at the latest the connection ends.
FRAMES_MAX = 10_000
# So much memory an attack may cost.
GROWTH_KIB = 32 * 1024
FLOODER = Path(__file__).parent / "flooder.py"
# Frames sent with one write.
BATCH = 100


@asynccontextmanager
async def attacked(
    folder: Path, address: str, version: int = 1, **listener: object
) -> AsyncIterator[tuple[Proxy, int]]:
    """A proxy that is under attack meanwhile: whoever behaves is served, and memory stays.

    A client asks on a connection of its own, one request after the other, from before the
    attack until after it; no answer may be anything but 200.
    """
    async with running(folder, before(address, version, **listener)) as proxy:
        port = await proxy.port()
        asked, over = trio.Semaphore(0), trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(behave, port, asked, over)
            await asked.acquire()
            memory = proxy.resident_kib()
            yield proxy, port
            over.set()
        assert proxy.resident_kib() - memory <= GROWTH_KIB


async def behave(port: int, asked: trio.Semaphore, over: trio.Event) -> None:
    """Ask until it is over, at least twice."""
    async with speak(port) as client:
        done = False
        while not done:
            done = over.is_set()
            began = trio.current_time()
            answer = await client.until_end(await client.open(get("/behave")))
            took = trio.current_time() - began
            assert answer.status == 200, (answer.fields, answer.body, took)
            asked.release()


async def flood(client: Frames, frames: Iterable[Frame | bytes], *, limit: int = FRAMES_MAX) -> int:
    """Send frames until the connection ends or `limit` of them went out; how many went out.

    The answers are read all the while; the other side must end the connection by itself, and
    where it says why, it is for our abuse.
    """
    while not client.settings:
        # Acknowledged, so that it isn't the want of that which ends the connection.
        await client.frame()
    client.polite = client.generous = False
    sent = 0
    rest: Iterator[Frame | bytes] = iter(frames)
    ended = trio.Event()

    async def read() -> None:
        await client.rest()
        ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        while not ended.is_set() and sent < limit:
            batch = list(islice(rest, min(BATCH, limit - sent)))
            if not batch:
                break
            try:
                await client.wire.stream.send_all(b"".join(map(serialized, batch)))
            except GONE:
                break
            sent += len(batch)
            await trio.lowlevel.checkpoint()
        with trio.move_on_after(PATIENCE):
            await ended.wait()
        nursery.cancel_scope.cancel()
    assert ended.is_set(), f"still open after {sent} frames"
    codes = {frame.error_code for frame in client.goaways}
    assert codes <= {ENHANCE_YOUR_CALM}, codes
    return sent


async def shut_out(wire: Wire) -> None:
    """Send PINGs and read nothing, until writing fails because the other side has closed."""
    ping = PingFrame(opaque_data=b"12345678").serialize()
    with trio.fail_after(2 * PATIENCE):
        try:
            while True:
                await wire.stream.send_all(ping * BATCH)
        except trio.BrokenResourceError:
            return


def serialized(frame: Frame | bytes) -> bytes:
    """A frame's bytes; what no library would make is given as bytes."""
    return frame if isinstance(frame, bytes) else frame.serialize()


def raw(kind: int, ident: int, payload: bytes = b"", flags: int = 0) -> bytes:
    """A frame that hyperframe would refuse to make."""
    return len(payload).to_bytes(3) + bytes([kind, flags]) + ident.to_bytes(4) + payload


def recorded(frames: Iterable[Frame | bytes]) -> bytes:
    """All that an attacker says on one connection."""
    opening = [SettingsFrame(), SettingsFrame(flags=["ACK"])]
    return PREFACE + b"".join(map(serialized, (*opening, *frames)))


@dataclass(slots=True)
class Attacks:
    """How many connections the other side ended."""

    ended: int = 0


@asynccontextmanager
async def flooding(port: int, file: Path, pause: float) -> AsyncIterator[Attacks]:
    """Attack with the bytes of `file` while the block runs: see flooder.py."""
    command = [sys.executable, "-I", str(FLOODER), str(port), str(file), str(pause)]
    process = await trio.lowlevel.open_process(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    found = Attacks()
    try:
        assert await process.stdout.receive_some() == b"\n"
        yield found
        await process.stdin.aclose()
        found.ended = int(await process.stdout.receive_some())
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            await process.stdin.aclose()
            await process.stdout.aclose()
