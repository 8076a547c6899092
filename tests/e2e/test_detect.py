"""A listener with `protocol: auto`: who speaks first decides, and nobody waits for nothing."""

from pathlib import Path

import trio

from tests.support.proxy import Document, running
from tests.support.upstream import answering, upstream
from tests.support.wire import PATIENCE, Wire, connect

# Seconds.
TRICKLE = 0.05


def auto(http: str, tcp: str) -> Document:
    """HTTP to one server, everything else to another."""
    return {
        "listeners": [
            {
                "name": "web",
                "address": "127.0.0.1:0",
                "protocol": "auto",
                "routes": [{"to": "http"}],
                "to": "tcp",
            }
        ],
        "clusters": [
            {"name": "http", "endpoints": [http]},
            {"name": "tcp", "endpoints": [tcp]},
        ],
    }


async def greeting(wire: Wire) -> None:
    """Speak first, as SMTP does, then answer lines."""
    await wire.send(b"220 ready\r\n")
    while True:
        line = await wire.until(b"\r\n")
        await wire.send(b"250 " + line)


async def silent(wire: Wire) -> None:
    """Say nothing until spoken to."""
    line = await wire.until(b"\r\n")
    await wire.send(b"got " + line)


async def test_a_server_that_speaks_first_is_heard(tmp_path: Path) -> None:
    async with (
        answering() as http,
        upstream(greeting) as tcp,
        running(tmp_path, auto(http.address, tcp.address)) as proxy,
        connect(await proxy.port()) as wire,
    ):
        assert await wire.until(b"\r\n") == b"220 ready\r\n"
        await wire.send(b"EHLO here\r\n")
        assert await wire.until(b"\r\n") == b"250 EHLO here\r\n"
    assert http.requests == []


async def test_a_slow_client_is_still_taken_for_what_it_speaks(tmp_path: Path) -> None:
    async with (
        answering() as http,
        upstream(silent) as tcp,
        running(tmp_path, auto(http.address, tcp.address)) as proxy,
    ):
        port = await proxy.port()
        async with connect(port) as wire:
            for byte in b"GET / HTTP/1.1\r\nHost: t\r\n\r\n":
                with trio.move_on_after(TRICKLE):
                    await wire.more()
                await wire.send(bytes([byte]))
            assert (await wire.response()).status == 200
        async with connect(port) as wire:
            with trio.move_on_after(TRICKLE):
                await wire.more()
            await wire.send(b"hello\r\n")
            assert await wire.until(b"\r\n") == b"got hello\r\n"


async def test_http2_is_detected_too(tmp_path: Path) -> None:
    async with (
        answering() as http,
        upstream(silent) as tcp,
        running(tmp_path, auto(http.address, tcp.address)) as proxy,
    ):
        url = f"http://127.0.0.1:{await proxy.port()}/"
        with trio.fail_after(PATIENCE):
            done = await trio.run_process(
                [
                    "curl",
                    "-sS",
                    "--http2-prior-knowledge",
                    "-o",
                    "/dev/null",
                    "-w",
                    "%{http_version}",
                    url,
                ],
                capture_stdout=True,
            )
    assert done.stdout == b"2"
