"""`--replace`: what goes over to the new process, and what doesn't."""

import json
import socket
from pathlib import Path

import pytest
import trio

from tests.support.backend import backends
from tests.support.proxy import Document, running, web
from tests.support.wire import connect


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


async def test_the_admin_port_goes_over(tmp_path: Path) -> None:
    async with backends("A") as (server,):
        document: Document = web(server.address)
        document["admin"] = {"address": f"127.0.0.1:{free_port()}"}
        async with running(tmp_path, document, stop=False) as old:
            admin = await old.admin()
            async with running(tmp_path, document, "--replace") as new:
                assert await new.admin() == admin
                with trio.fail_after(20):
                    assert await old.process.wait() == 0, old.words
                assert json.loads(await new.ask("/server_info"))["pid"] == new.pid


async def test_a_listener_that_is_not_wanted_any_more_refuses(tmp_path: Path) -> None:
    async with backends("A") as (server,):
        document = web(server.address)
        both = web(server.address)
        both["listeners"].append(both["listeners"][0] | {"name": "second"})
        async with running(tmp_path, both, "--workers", "2", stop=False) as old:
            kept, gone = await old.port(), await old.port("second")
            async with running(tmp_path, document, "--replace") as new:
                with trio.fail_after(20):
                    assert await old.process.wait() == 0, old.words
                assert await new.port() == kept
                async with connect(kept) as wire:
                    assert (await wire.get("/1k")).status == 200
                with pytest.raises(ConnectionRefusedError):
                    async with connect(gone):
                        pass
