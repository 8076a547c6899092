"""HTTP/2 abuse: each known pattern ends its connection, soon and cheaply, and harms nobody else."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import hpack
import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from tests.support.abuse import FRAMES_MAX, attacked, flood, raw, shut_out
from tests.support.backend import backends
from tests.support.bridge import Http2, Speaker, telling
from tests.support.frames import CANCEL, LARGEST_FRAME, get, speak
from tests.support.streams import Reset
from tests.support.upstream import upstream
from tests.support.wire import Wire

MIB = 1 << 20
# Frames of one header block.
CONTINUATIONS_MAX = 20
# Resets that came before an answer, and those that a client made us send.
RESETS_MAX = 200
OUR_RESETS_MAX = 500
# Requests that an upstream may have seen of a rapid reset: the resets allowed, and as many as run.
BEGUN_MAX = RESETS_MAX + 100
# With what a stream begins with, this is more than a window may be.
WINDOW_MAX = (1 << 31) - 1

# Encoded without what came before, so that it fits any connection and any stream.
HEAD = hpack.Encoder().encode(get("/1k"))


def opening(ident: int, *, end: bool = True) -> HeadersFrame:
    """A request's head."""
    return HeadersFrame(ident, HEAD, flags=["END_HEADERS", *(["END_STREAM"] if end else [])])


def streams() -> Iterator[int]:
    """Streams of a client."""
    return count(1, 2)


def on_one_stream(frame: Callable[[int], Frame | bytes]) -> Iterator[Frame | bytes]:
    """A request whose body never ends, and the same frame on it for ever."""
    yield opening(1, end=False)
    while True:
        yield frame(1)


def for_ever(frame: Frame | bytes) -> Iterator[Frame | bytes]:
    """The same frame again and again."""
    while True:
        yield frame


def made_you_reset() -> Iterator[Frame | bytes]:
    """Valid requests, and after each a frame that makes the other side reset it."""
    for ident in streams():
        yield opening(ident, end=False)
        yield WindowUpdateFrame(ident, WINDOW_MAX)


FLOODS: dict[str, Callable[[], Iterator[Frame | bytes]]] = {
    "ping": lambda: for_ever(PingFrame(opaque_data=b"12345678")),
    "ping-ack": lambda: for_ever(PingFrame(opaque_data=b"12345678", flags=["ACK"])),
    "settings": lambda: for_ever(SettingsFrame(settings={SettingsFrame.ENABLE_PUSH: 0})),
    "empty-settings": lambda: for_ever(SettingsFrame()),
    "table-sizes": lambda: (
        SettingsFrame(settings={SettingsFrame.HEADER_TABLE_SIZE: number % 2 * 4096})
        for number in count()
    ),
    "empty-data": lambda: on_one_stream(lambda ident: DataFrame(ident, b"")),
    "padded-empty-data": lambda: on_one_stream(
        lambda ident: DataFrame(ident, b"", pad_length=0, flags=["PADDED"])
    ),
    "priority": lambda: (
        PriorityFrame(ident, depends_on=0, stream_weight=number % 256)
        for number, ident in enumerate(streams())
    ),
    "priority-of-one-stream": lambda: for_ever(PriorityFrame(1, depends_on=0, stream_weight=1)),
    "window-update": lambda: for_ever(WindowUpdateFrame(0, 1)),
    "window-update-of-a-stream": lambda: on_one_stream(lambda ident: WindowUpdateFrame(ident, 1)),
    "reset-of-a-stream": lambda: on_one_stream(lambda ident: RstStreamFrame(ident, CANCEL)),
    "unknown": lambda: for_ever(raw(0xFA, 0, b"x")),
    "made-you-reset": made_you_reset,
}


@pytest.mark.parametrize("frames", FLOODS.values(), ids=FLOODS.keys())
async def test_a_flood_ends_its_connection(
    tmp_path: Path, frames: Callable[[], Iterator[Frame | bytes]]
) -> None:
    async with (
        backends("A") as (server,),
        attacked(tmp_path, server.address) as (_, port),
        speak(port) as client,
    ):
        assert await flood(client, frames()) <= FRAMES_MAX


async def test_a_flood_whose_answers_nobody_reads(tmp_path: Path) -> None:
    async with (
        backends("A") as (server,),
        attacked(tmp_path, server.address) as (_, port),
        speak(port) as client,
    ):
        await shut_out(client.wire)


@pytest.mark.parametrize("version", [1, 2])
async def test_rapid_reset(tmp_path: Path, version: int) -> None:
    begun = 0

    async def story(server: Speaker) -> None:
        nonlocal begun
        while True:
            if isinstance(server, Http2):
                server.ident = await server.frames.opened()
                message = server.frames.stream(server.ident).message
            else:
                message = await server.request()
            if message.target == b"/behave":
                await server.answer(200)
            else:
                begun += 1
                await server.wire.rest() if version == 1 else None

    def resets() -> Iterator[Frame]:
        for ident in streams():
            yield opening(ident)
            yield RstStreamFrame(ident, CANCEL)

    async with (
        telling(story, version) as server,
        attacked(tmp_path, server.address, version) as (_, port),
        speak(port) as client,
    ):
        await flood(client, resets())
    assert begun <= BEGUN_MAX


@pytest.mark.parametrize("size", [0, 1, 1000])
async def test_a_continuation_flood(tmp_path: Path, size: int) -> None:
    async def script(wire: Wire) -> None:
        while (await wire.request()).target == b"/behave":
            await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        raise AssertionError

    def block() -> Iterator[Frame]:
        encoder = hpack.Encoder()
        yield HeadersFrame(1, HEAD, flags=["END_STREAM"])
        for number in range(CONTINUATIONS_MAX):
            piece = (
                encoder.encode([(b"x-%d" % number, b"v" * size)], huffman=False) if size else b""
            )
            yield ContinuationFrame(1, piece)

    async with (
        upstream(script) as server,
        attacked(tmp_path, server.address) as (_, port),
        speak(port) as client,
    ):
        await flood(client, block())


def indexed(name: bytes, value: bytes, references: int) -> bytes:
    """A block that puts one field into the table and then names it so often, a byte each."""
    encoder = hpack.Encoder()
    start = b"".join(encoder.encode([pair]) for pair in get())
    once, again = encoder.encode([(name, value)]), encoder.encode([(name, value)])
    assert len(again) == 1
    return start + once + again * references


BOMBS = {
    # 16,000 times 4,000 bytes.
    "bytes": indexed(b"x", b"v" * 4000, 16_000),
    "count": indexed(b"x", b"", 16_000),
    "crumbs": indexed(b"cookie", b"a", 16_000),
    # No reference, only a lot: sixteen frames' worth.
    "plain": hpack.Encoder().encode([*get(), *((b"x-%d" % n, b"v" * 50) for n in range(4000))]),
}


@pytest.mark.parametrize("block", BOMBS.values(), ids=BOMBS.keys())
async def test_a_header_bomb(tmp_path: Path, block: bytes) -> None:
    """Again and again on one connection: each is refused, and nothing of it stays."""
    heard: list[bytes] = []
    pieces = [block[at : at + LARGEST_FRAME] for at in range(0, len(block), LARGEST_FRAME)]

    async def script(wire: Wire) -> None:
        while True:
            heard.append((await wire.request()).target)
            await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def bombs() -> Iterator[Frame]:
        for ident in streams():
            frames: list[Frame] = [HeadersFrame(ident, pieces[0], flags=["END_STREAM"])]
            frames += [ContinuationFrame(ident, piece) for piece in pieces[1:]]
            frames[-1].flags.add("END_HEADERS")
            yield from frames

    async with (
        upstream(script) as server,
        attacked(tmp_path, server.address) as (_, port),
        speak(port) as client,
    ):
        await flood(client, bombs(), limit=min(FRAMES_MAX, OUR_RESETS_MAX * len(pieces)))
        statuses = {stream.status for stream in client.streams.values() if stream.heads}
        assert statuses <= {431}
    assert set(heard) == {b"/behave"}


async def test_streams_without_window_are_reaped(tmp_path: Path) -> None:
    """A hundred large answers that nobody lets come."""
    async with backends("A") as (server,):
        idle = {"stream_idle": "2s"}
        async with attacked(tmp_path, server.address, timeouts=idle) as (proxy, port):
            async with speak(port, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0}) as client:
                idents = [await client.open(get("/size/16777216")) for _ in range(100)]
                for ident in idents:
                    with pytest.raises(Reset):
                        await client.until_end(ident)
            while await proxy.metric("meshcore_cluster_requests_active") > 1:
                pass


async def test_a_window_of_single_bytes(tmp_path: Path) -> None:
    """A hundred large answers, and a byte of window for each in turn."""
    settings = {SettingsFrame.INITIAL_WINDOW_SIZE: 0}
    async with (
        backends("A") as (server,),
        attacked(tmp_path, server.address) as (_, port),
        speak(port, settings=settings) as client,
    ):
        idents = [await client.open(get("/size/1048576")) for _ in range(100)]
        drip = (WindowUpdateFrame(idents[number % 100], 1) for number in count())
        await flood(client, drip)


async def test_an_upstream_that_floods_loses_its_connection(tmp_path: Path) -> None:
    """The client of the stream hears 502; others, on other connections, nothing."""

    async def story(server: Speaker) -> None:
        assert isinstance(server, Http2)
        while True:
            if (await server.request()).target != b"/flood":
                await server.answer(200, body=b"ok")
                continue
            await shut_out(server.wire)
            return

    async with (
        # A stream for each connection, else both clients may have met on the one that ends.
        telling(story, 2, {SettingsFrame.MAX_CONCURRENT_STREAMS: 1}) as server,
        attacked(tmp_path, server.address, 2) as (_, port),
        speak(port) as client,
    ):
        answer = await client.until_end(await client.open(get("/flood")))
        assert answer.status == 502
        answer = await client.until_end(await client.open(get("/after")))
        assert answer.status == 200
