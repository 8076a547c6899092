"""Handing the listening sockets from a running proxy to the one that replaces it.

A proxy answers on a unix socket in its state directory. The newcomer asks for the sockets, starts
on them beside the old one, takes the name over, and says that it serves; only then does the old one
stop accepting and drain. If the newcomer fails before that, its connection ends and the old one has
lost nothing. Messages are JSON with a length before it; descriptors follow in batches. Both sides
name a version; a field that one doesn't know it ignores, so that later versions can offer more
(`live`: the connections themselves).
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio
from trio import socket as tsocket

from meshcore.agent.messages import (
    HandoverError,
    Message,
    number,
    of_this_user,
    receive,
    receive_fds,
    send,
    send_fds,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from meshcore.answers import Socket

VERSION = 1
# Not a name that a listener can have: names are not empty.
ADMIN = ""
# Between two local processes that are both at work.
_ANSWER_DEADLINE = 10.0
# A start with 10,000 clusters takes two seconds on a busy machine.
_START_DEADLINE = 120.0
_BACKLOG = 8


@dataclass(frozen=True, slots=True)
class Given:
    """A socket that was handed over."""

    listener: str
    """Its listener's name, or `ADMIN`."""
    address: str
    """In the old document."""
    bound: str
    """What it is bound to."""
    fd: int
    """A descriptor of ours."""


@dataclass(slots=True)
class Predecessor:
    """The running proxy that is to be replaced."""

    connection: tsocket.SocketType
    pid: int
    sockets: list[Given]
    """What it handed over."""

    def wanted(self, ours: Mapping[str, str]) -> list[tuple[str, int]]:
        """The sockets that listeners of `ours` (name to address) are to have, by what names them.

        Args:
            ours: Where our document's listeners listen, and the admin endpoints as `ADMIN`.
        """
        addresses = set(ours.values())
        named: list[tuple[str, int]] = []
        for given in self.sockets:
            if ours.get(given.listener) == given.address and given.listener != ADMIN:
                named.append((given.listener, given.fd))
            elif given.bound in addresses:
                # What was port 0 in the old document may have its number in ours.
                named.append((given.bound, given.fd))
            elif given.address in addresses and not given.address.endswith(":0"):
                named.append((given.address, given.fd))
        return named

    def close_sockets(self) -> None:
        """Close the descriptors: whoever wanted them has copies."""
        for given in self.sockets:
            os.close(given.fd)
        self.sockets = []

    async def retire(self) -> None:
        """Say that we serve; it drains from now on.

        Raises:
            HandoverError: It didn't hear it.
        """
        with _within(_ANSWER_DEADLINE, "the running proxy doesn't answer"):
            await send(self.connection, {"version": VERSION, "state": "serving"})
            await receive(self.connection)
        self.connection.close()


async def running(path: Path) -> int:
    """The process id of the proxy that answers at `path`; 0 when none does."""
    connection = await _connect(path)
    if connection is None:
        return 0
    with connection:
        try:
            with trio.fail_after(_ANSWER_DEADLINE):
                await send(connection, {"version": VERSION, "ask": "who"})
                return number(await receive(connection), "pid")
        except (HandoverError, OSError, trio.TooSlowError):
            return 0


async def take_over(path: Path) -> Predecessor | None:
    """Ask the proxy at `path` for its sockets; None when none runs.

    Raises:
        HandoverError: It runs, but doesn't hand them over.
    """
    connection = await _connect(path)
    if connection is None:
        return None
    fds: list[int] = []
    try:
        with _within(_ANSWER_DEADLINE, "the running proxy doesn't answer"):
            await send(connection, {"version": VERSION, "ask": "sockets"})
            answer = await receive(connection)
            if "error" in answer:
                raise HandoverError(str(answer["error"]))
            found = answer["sockets"]
            named = found if isinstance(found, list) else []
            await receive_fds(connection, fds, len(named))
    except BaseException:
        connection.close()
        for fd in fds:
            os.close(fd)
        raise
    pairs = zip(named, fds, strict=True)
    sockets = [Given(name, address, bound, fd) for (name, address, bound), fd in pairs]
    return Predecessor(connection, number(answer, "pid"), sockets)


class Successor:
    """Waits for the proxy that replaces this one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._busy = False
        self._listener: tsocket.SocketType | None = None
        self._inode = 0

    def publish(self) -> None:
        """Take the name: whoever asks from now on reaches us."""
        # Made beside and renamed over, so that the name always answers.
        made = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        made.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            listener.bind(str(made))
            made.chmod(0o600)
            listener.listen(_BACKLOG)
            self._inode = made.stat().st_ino
            made.rename(self._path)
        except OSError:
            listener.close()
            made.unlink(missing_ok=True)
            raise
        self._listener = tsocket.from_stdlib_socket(listener)

    def withdraw(self) -> None:
        """Give the name up, unless somebody else has taken it."""
        if self._listener is None:
            return
        self._listener.close()
        self._listener = None
        try:
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()
        except OSError:
            return  # nobody finds us there any more: that is what was wanted

    async def serve(
        self, sockets: Callable[[], list[Socket]], replaced: Callable[[], Awaitable[None]]
    ) -> None:
        """Answer whoever asks; calls `replaced` once, and returns, when another has taken over."""
        while self._listener is not None:
            connection, _ = await self._listener.accept()
            with connection:
                try:
                    if of_this_user(connection) and await self._answer(connection, sockets()):
                        await replaced()
                        return
                except (HandoverError, OSError, trio.TooSlowError):
                    continue  # the newcomer has failed; we go on as if it had not been there

    async def _answer(self, connection: tsocket.SocketType, sockets: list[Socket]) -> bool:
        with trio.fail_after(_ANSWER_DEADLINE):
            asked = await receive(connection)
            me: Message = {"version": VERSION, "pid": os.getpid()}
            if asked.get("ask") == "who":
                await send(connection, me)
                return False
            if asked.get("version") != VERSION or asked.get("ask") != "sockets":
                words = f"the running proxy speaks version {VERSION} of the handover"
                await send(connection, {**me, "error": words})
                return False
            named = [[found.listener, found.address, found.bound] for found in sockets]
            await send(connection, {**me, "sockets": named, "live": False})
            await send_fds(connection, [found.fd for found in sockets])
        with trio.fail_after(_START_DEADLINE):
            told = await receive(connection)
            if told.get("state") != "serving":
                return False
            await send(connection, {**me, "state": "draining"})
        return True


class _within:
    """A deadline whose passing is a `HandoverError`; so is a broken connection."""

    def __init__(self, seconds: float, words: str) -> None:
        self._scope = trio.fail_after(seconds)
        self._words = words

    def __enter__(self) -> None:
        self._scope.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        try:
            self._scope.__exit__(kind, error, None)
        except trio.TooSlowError:
            raise HandoverError(self._words) from None
        if isinstance(error, OSError):
            raise HandoverError(f"{self._words}: {error.strerror}") from error


async def _connect(path: Path) -> tsocket.SocketType | None:
    connection = tsocket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        await connection.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    except BaseException:
        connection.close()
        raise
    return connection
