"""Listening sockets go from a running proxy to the one that replaces it."""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from meshcore.agent.handover import VERSION, Successor, running, take_over
from meshcore.agent.messages import receive, send
from meshcore.answers import Socket


class Incumbent:
    """The running proxy's side, with sockets that listen."""

    def __init__(self, path: Path, count: int) -> None:
        self.successor = Successor(path)
        self.listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        self.replaced = trio.Event()

    def sockets(self) -> list[Socket]:
        """As an engine would name them."""
        return [
            Socket(f"l{index}", "127.0.0.1:0", f"127.0.0.1:{made.getsockname()[1]}", made.fileno())
            for index, made in enumerate(self.listeners)
        ]

    async def on_replaced(self) -> None:
        """Note it."""
        self.replaced.set()


@asynccontextmanager
async def incumbent(path: Path, count: int = 1) -> AsyncIterator[Incumbent]:
    """One that answers."""
    made = Incumbent(path, count)
    made.successor.publish()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.successor.serve, made.sockets, made.on_replaced)
        yield made
        nursery.cancel_scope.cancel()
    made.successor.withdraw()
    for listener in made.listeners:
        listener.close()


@pytest.mark.parametrize("count", [0, 1, 3, 450])
async def test_every_socket_arrives_in_its_order(tmp_path: Path, count: int) -> None:
    async with incumbent(tmp_path / "a.sock", count) as old:
        predecessor = await take_over(tmp_path / "a.sock")
        assert predecessor is not None
        assert predecessor.pid == os.getpid()
        ports = [made.getsockname()[1] for made in old.listeners]
        taken = [socket.socket(fileno=os.dup(given.fd)) for given in predecessor.sockets]
        assert [made.getsockname()[1] for made in taken] == ports
        assert not old.replaced.is_set()
        await predecessor.retire()
        await old.replaced.wait()
        predecessor.close_sockets()
        for made in taken:
            made.close()


async def test_a_newcomer_that_fails_leaves_the_old_one_answering(tmp_path: Path) -> None:
    async with incumbent(tmp_path / "a.sock") as old:
        for _ in range(3):
            predecessor = await take_over(tmp_path / "a.sock")
            assert predecessor is not None
            predecessor.close_sockets()
            predecessor.connection.close()
        assert await running(tmp_path / "a.sock") == os.getpid()
        assert not old.replaced.is_set()


async def test_nobody_there_is_no_error(tmp_path: Path) -> None:
    assert await take_over(tmp_path / "a.sock") is None
    assert await running(tmp_path / "a.sock") == 0
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(tmp_path / "b.sock"))
    assert await take_over(tmp_path / "b.sock") is None


async def test_another_version_is_refused_in_words(tmp_path: Path) -> None:
    async with incumbent(tmp_path / "a.sock") as old:
        with trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            await connection.connect(str(tmp_path / "a.sock"))
            await send(connection, {"version": VERSION + 1, "ask": "sockets"})
            answer = await receive(connection)
        assert answer["error"] == f"the running proxy speaks version {VERSION} of the handover"
        assert not old.replaced.is_set()


@pytest.mark.parametrize("raw", [b"", b"\0", b"\xff\xff\xff\xff", b"\0\0\0\2[]", b"\0\0\0\4null"])
async def test_nonsense_does_no_harm(tmp_path: Path, raw: bytes) -> None:
    async with incumbent(tmp_path / "a.sock") as old:
        stream = await trio.open_unix_socket(str(tmp_path / "a.sock"))
        await stream.send_all(raw)
        await stream.aclose()
        assert await running(tmp_path / "a.sock") == os.getpid()
        assert not old.replaced.is_set()


def names_in(folder: Path) -> list[str]:
    """What is there."""
    return [found.name for found in folder.iterdir()]


async def test_a_name_is_taken_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    first, second = Successor(path), Successor(path)
    first.publish()
    assert path.stat().st_mode & 0o777 == 0o600
    second.publish()
    first.withdraw()
    assert path.exists()
    second.withdraw()
    assert not path.exists()
    assert names_in(tmp_path) == []


async def test_a_port_of_the_system_s_choice_can_be_named_later(tmp_path: Path) -> None:
    async with incumbent(tmp_path / "a.sock", 2) as old:
        predecessor = await take_over(tmp_path / "a.sock")
        assert predecessor is not None
        named = old.sockets()[1].bound
        ours = {"l0": "127.0.0.1:0", "renamed": named, "l2": "127.0.0.1:0"}
        assert [name for name, _ in predecessor.wanted(ours)] == ["l0", named]
        predecessor.close_sockets()
        predecessor.connection.close()
