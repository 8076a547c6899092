"""Drain under load: HTTP/1, HTTP/2 and gRPC at once, while everything changes; nobody notices."""

from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import trio
from hyperframe.frame import GoAwayFrame, HeadersFrame, PingFrame

from tests.support.backend import Backend, backends
from tests.support.bridge import Http2, Speaker, telling
from tests.support.figures import Figure
from tests.support.frames import NO_ERROR, Frames
from tests.support.grpc_echo import in_thread, serving
from tests.support.grpc_load import Calling, calling
from tests.support.load import Report, load
from tests.support.proxy import Document, Proxy, running
from tests.support.scale import scaled

FULL_REQUESTS, FULL_CHANGES = 100_000, 100
# RFC 9113 §6.8: a first GOAWAY that still lets every stream in.
EVERY_STREAM = (1 << 31) - 1
# Requests that a restless server answers before it says goodbye.
PATIENCE_OF_SERVERS = 50
# gRPC servers tell their connections to go away after that.
AGE_MS = 500
# Seconds.
DRAIN = 60
# One run of the generator; it is started again until all changes are made.
RUN = 500

# Every kind of client at once; what is named by `path` goes to servers of HTTP/2.
CLIENTS: dict[str, tuple[str, dict[str, object]]] = {
    "1to1": ("http", {"connections": 4}),
    "1to1, a connection each": ("http", {"connections": 2, "fresh": True}),
    "1to2": ("http", {"connections": 4, "path": "/two"}),
    "2to1": ("http2", {"connections": 2, "streams": 4}),
    "2to1, a connection each": ("http2", {"connections": 2, "streams": 1, "fresh": True}),
    "2to2": ("http2", {"connections": 2, "streams": 4, "path": "/two"}),
    # Beside grpcio: this one tries nothing again, not even what never left it.
    "gRPC": (
        "http2",
        {"connections": 2, "streams": 2, "path": "/test.Echo/Echo", "grpc": True, "body_size": 100},
    ),
}


class Restless:
    """A server that ends every connection in order after a few requests: every other time with two
    GOAWAYs, else with one, whose later streams were never looked at."""

    def __init__(self) -> None:
        """Nobody has left yet."""
        self.goodbyes = 0

    async def story(self, server: Speaker) -> None:
        """Serve one connection."""
        assert isinstance(server, Http2)
        frames = server.frames
        last = await self._serve(frames, PATIENCE_OF_SERVERS)
        self.goodbyes += 1
        if self.goodbyes % 2:
            await frames.send(GoAwayFrame(0, last_stream_id=EVERY_STREAM, error_code=NO_ERROR))
            await frames.send(PingFrame(opaque_data=b"farewell"))
            last = max(last, await self._serve(frames, None))
        await frames.send(GoAwayFrame(0, last_stream_id=last, error_code=NO_ERROR))
        await frames.rest()

    async def _serve(self, frames: Frames, most: int | None) -> int:
        """Answer so many requests, or until our PING is answered; the last stream."""
        last, served = 0, 0
        while served != most:
            try:
                frame = await frames.frame()
            except trio.TooSlowError:
                # Nobody has asked for long: a server leaves then, too. A PING is answered sooner.
                assert most is not None
                break
            if isinstance(frame, HeadersFrame):
                last, served = frame.stream_id, served + 1
                await frames.head(last, [(b":status", b"200")])
                await frames.data(last, b"two", end=True)
                del frames.streams[last]
            elif isinstance(frame, PingFrame) and "ACK" in frame.flags and most is None:
                break
        return last


@dataclass(slots=True)
class World:
    """What the proxy stands before, and the clients' figures."""

    one: list[Backend]
    two: list[str]
    grpc: list[str]
    reports: dict[str, list[Report]] = field(default_factory=dict)

    def document(self, turn: int) -> Document:
        """Another configuration each turn: endpoints, routes and listeners come and go."""
        route = {"match": {"path": {"prefix": f"/only-{turn}"}}, "to": "one"}
        routes: list[dict[str, object]] = [
            {"match": {"path": {"prefix": "/two"}}, "to": "two"},
            {"match": {"path": {"prefix": "/test.Echo"}}, "to": "grpc"},
            {"to": "one"},
        ]
        listeners: list[dict[str, object]] = [
            {"name": "web", "address": "127.0.0.1:0", "routes": [route, *routes]}
        ]
        if turn % 3 == 0:
            listeners.append(listeners[0] | {"name": f"extra-{turn}"})
        one = [server.address for server in self.one]
        return {
            "listeners": listeners,
            "clusters": [
                {"name": "one", "endpoints": one[turn % 2 :]},
                {"name": "two", "protocol": "http2", "endpoints": self.two[: 1 + turn % 2]},
                {"name": "grpc", "protocol": "http2", "endpoints": self.grpc[-1:]},
            ],
        }

    def requests(self, *names: str) -> int:
        """How many requests these clients made."""
        return sum(one["requests"] for name in names for one in self.reports.get(name, []))

    async def drive(self, name: str, port: int, least: int, over: trio.Event) -> None:
        """Ask as one kind of client until it is over, and at least so often."""
        mode, flags = CLIENTS[name]
        while not over.is_set() or self.requests(name) < least:
            report = await load(mode, port, requests=RUN, **flags)
            self.reports.setdefault(name, []).append(report)
            if report["failures"]:
                return


class Load:
    """All clients at once, from its start until `end`, and until each has asked enough."""

    def __init__(self, world: World, port: int) -> None:
        """Nobody has asked yet."""
        self.calls = Calling()
        self._world = world
        self._port = port
        self._over = trio.Event()
        self._ended = trio.Event()

    async def run(self) -> None:
        """Ask until the end."""
        least = scaled(FULL_REQUESTS, RUN) // len(CLIENTS)
        async with calling(self._port) as self.calls, trio.open_nursery() as nursery:
            for name in CLIENTS:
                nursery.start_soon(self._world.drive, name, self._port, least, self._over)
            await self._over.wait()
        self._ended.set()

    async def end(self) -> None:
        """Nothing changes any more: let the clients come to their end."""
        self._over.set()
        await self._ended.wait()


class Story:
    """The proxy that runs now, and what changes around it."""

    def __init__(self, stack: AsyncExitStack, folder: Path, world: World) -> None:
        """Begin with no proxy."""
        self.world = world
        self._stack = stack
        self._folder = folder
        self._grpc, self._left = ExitStack(), ExitStack()
        self._turns = count()
        self._proxy: Proxy | None = None
        stack.callback(lambda: self._grpc.close())
        stack.callback(lambda: self._left.close())

    @property
    def proxy(self) -> Proxy:
        """The one that runs."""
        assert self._proxy is not None
        return self._proxy

    async def start(self) -> None:
        """Start the first gRPC server and the first proxy."""
        self._new_grpc()
        await self.replace()

    async def save(self) -> None:
        """Save another document and wait until it is in force."""
        await self.proxy.change(self.world.document(next(self._turns)))

    async def replace(self) -> None:
        """Hand over to another process and wait until the old one has drained."""
        flags = ("--workers", "2", *(("--replace",) if self._proxy else ()))
        document = self.world.document(next(self._turns))
        following = running(self._folder, document, *flags, stop=False)
        successor, old = await self._stack.enter_async_context(following), self._proxy
        self._proxy = successor
        if old is not None:
            with trio.fail_after(DRAIN):
                assert await old.process.wait() == 0, old.words

    async def change_grpc(self) -> None:
        """Another gRPC server takes over.

        grpcio cancels calls that come while it stops, with or without a proxy before it. So the one
        that leaves stays until the next change; by then no proxy is left that ever knew it.
        """
        await in_thread(self._left.close)
        self._left, self._grpc = self._grpc, ExitStack()
        self._new_grpc()
        await self.save()

    def _new_grpc(self) -> None:
        server = serving(f"grpc-{len(self.world.grpc)}", age_ms=AGE_MS)
        _, address = self._grpc.enter_context(server)
        self.world.grpc.append(address)


async def test_nobody_notices_drains_and_applies(tmp_path: Path, figure: Figure) -> None:
    changes = scaled(FULL_CHANGES, 4)
    restless = Restless()
    async with (
        backends("ABC") as one,
        telling(restless.story, 2) as two,
        telling(restless.story, 2) as another,
        trio.open_nursery() as nursery,
        AsyncExitStack() as stack,
    ):
        story = Story(stack, tmp_path, World(one, [two.address, another.address], []))
        await story.start()
        asking = Load(story.world, await story.proxy.port())
        nursery.start_soon(asking.run)
        kinds = (story.save, story.replace, story.change_grpc, story.save)
        for change in range(changes):
            await kinds[change % len(kinds)]()
        await asking.end()
        await story.proxy.stop()
    calls = asking.calls
    reports = story.world.reports
    examples = [
        what for name in reports for one in reports[name] for what in one["failure_examples"]
    ]
    failures = sum(one["failures"] for name in reports for one in reports[name]) + calls.failures
    asked = {name: story.world.requests(name) for name in CLIENTS} | {"grpcio": calls.requests}
    told = ", ".join(f"{name} {requests:,}" for name, requests in asked.items())
    figure(
        f"{changes} drains and applies",
        f"{failures} failed of {sum(asked.values()):,} requests ({told});"
        f" {restless.goodbyes:,} HTTP/2 servers said goodbye",
    )
    assert failures == 0, examples + calls.failure_examples
    assert min(asked.values()) > 0
    assert restless.goodbyes > 0
    assert sum(asked.values()) >= scaled(FULL_REQUESTS, RUN)
