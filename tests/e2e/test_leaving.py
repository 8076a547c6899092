"""Clients that leave before they have their answer, and those that only end their direction."""

import http.client
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import httpx2
import pytest
import trio

from tests.support.bridge import BRIDGES, NAMES, Http1, Http2, Speaker, before, bridge, telling
from tests.support.certificates import Authority
from tests.support.proxy import running, web
from tests.support.upstream import ok, upstream
from tests.support.wire import PATIENCE, Wire

# Long enough for a request to have arrived, short for a test.
CURL_GIVES_UP = "0.3"
CURL_TIMED_OUT = 28
PARTS = 3

versions = pytest.mark.parametrize("version", [1, 2])


class Slow:
    """A server that never ends its answer: it says how much it said of it, and notes who left."""

    def __init__(self, parts: int) -> None:
        """Begin the answer with so many parts; none is no head either."""
        self.parts = parts
        self.asked = trio.Event()
        self.left = trio.Event()

    async def story(self, server: Speaker) -> None:
        """Serve one connection."""
        try:
            await (self._first(server) if isinstance(server, Http1) else self._second(server))
        finally:
            self.left.set()

    async def _first(self, server: Http1) -> None:
        await server.request()
        if self.parts:
            await server.wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(self.parts):
            await server.wire.send(b"4\r\npart\r\n")
        self.asked.set()
        await server.wire.rest()

    async def _second(self, server: Speaker) -> None:
        assert isinstance(server, Http2)
        await server.request()
        if self.parts:
            await server.frames.head(server.ident, [(b":status", b"200")])
        for _ in range(self.parts):
            await server.frames.data(server.ident, b"part")
        self.asked.set()
        while server.frames.stream(server.ident).reset is None:
            await server.frames.frame()


@asynccontextmanager
async def site(folder: Path, slow: Slow, version: int, **listener: object) -> AsyncIterator[int]:
    """The port of a proxy before it; the log has to say that the client left."""
    log = {"path": str(folder / "access.log"), "format": "json"}
    async with (
        telling(slow.story, version) as server,
        running(folder, before(server.address, version, access_log=log, **listener)) as proxy,
    ):
        yield await proxy.port()
        with trio.fail_after(PATIENCE):
            await slow.left.wait()
    line = json.loads((folder / "access.log").read_text().splitlines()[0])
    assert line["response_flags"] == "DC", line


@versions
@pytest.mark.parametrize("parts", [0, PARTS])
async def test_curl_that_gives_up(tmp_path: Path, version: int, parts: int) -> None:
    async with site(tmp_path, Slow(parts), version) as port:
        target = f"http://127.0.0.1:{port}/"
        command = ["curl", "-sN", "--max-time", CURL_GIVES_UP, target]
        done = await trio.run_process(command, capture_stdout=True, check=False)
    assert (done.returncode, done.stdout) == (CURL_TIMED_OUT, b"part" * parts)


@versions
async def test_curl_that_gives_up_over_tls(
    tmp_path: Path, authority: Authority, version: int
) -> None:
    tls = authority.pair("localhost").document
    async with site(tmp_path, Slow(0), version, tls=tls) as port:
        target = f"https://localhost:{port}/"
        how = ["--http1.1", "--cacert", str(authority.roots), "--max-time", CURL_GIVES_UP]
        done = await trio.run_process(["curl", "-sN", *how, target], check=False)
    assert done.returncode == CURL_TIMED_OUT


@versions
async def test_a_stream_that_httpx2_closes_early(tmp_path: Path, version: int) -> None:
    async with site(tmp_path, Slow(PARTS), version) as port:
        assert await trio.to_thread.run_sync(first_part, f"http://127.0.0.1:{port}/") == b"part"


def first_part(target: str) -> bytes:
    """Read the beginning of an answer; who leaves the block leaves the connection."""
    with httpx2.stream("GET", target, trust_env=False) as answer:
        return next(answer.iter_raw(len(b"part")))


@pytest.mark.parametrize("versions", [BRIDGES[0], BRIDGES[1]], ids=NAMES[:2])
async def test_a_script_that_ends_its_input_gets_all_of_its_answer(
    tmp_path: Path, versions: tuple[int, int]
) -> None:
    """As `printf … | nc` asks: request, end, and then it reads for as long as it takes."""
    told, go = trio.Event(), trio.Event()

    async def story(server: Speaker) -> None:
        await server.request()
        told.set()
        await go.wait()
        await server.answer(200, body=b"answer" * 100_000)

    async with bridge(tmp_path, versions, story) as link:
        wire = link.client.wire
        await wire.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        await wire.end()
        await told.wait()
        assert (await wire.head()).status == 100
        go.set()
        assert (await wire.response()).body == b"answer" * 100_000
        assert await wire.ended()


async def test_pythons_own_client_skips_the_question(tmp_path: Path) -> None:
    """It knows no interim response but this one."""

    async def script(wire: Wire) -> None:
        await wire.request()
        # Its end has been seen, and the question put before the answer.
        await trio.sleep(0.1)
        await wire.send(ok(b"answer"))

    async with upstream(script) as server, running(tmp_path, web(server.address)) as proxy:
        port = await proxy.port()
        assert await trio.to_thread.run_sync(ask_and_end, port) == (200, b"answer")


def ask_and_end(port: int) -> tuple[int, bytes]:
    """Ask, end our direction, and read the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    with closing(connection):
        connection.request("GET", "/")
        connection.sock.shutdown(socket.SHUT_WR)
        with connection.getresponse() as answer:
            return answer.status, answer.read()
