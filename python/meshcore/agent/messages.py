"""Messages between two proxies of one user: JSON with a length before it, and descriptors."""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from typing import TYPE_CHECKING, TypeAlias

from meshcore.errors import MeshcoreError

if TYPE_CHECKING:
    from trio import socket as tsocket

# The kernel takes 253 in one message.
_FDS_PER_MESSAGE = 200
# 10,000 sockets by name and address.
_LONGEST_MESSAGE = 4 << 20

Message: TypeAlias = "dict[str, int | str | bool | list[list[str]]]"


class HandoverError(MeshcoreError):
    """The sockets could not be taken over; the text says why."""


async def send(connection: tsocket.SocketType, message: Message) -> None:
    """Send one message."""
    body = json.dumps(message).encode()
    view = memoryview(len(body).to_bytes(4, "big") + body)
    while view:
        view = view[await connection.send(view) :]


async def receive(connection: tsocket.SocketType) -> Message:
    """Receive one message.

    Raises:
        HandoverError: The other side hung up, or sent nonsense.
    """
    length = int.from_bytes(await _exactly(connection, 4), "big")
    if length > _LONGEST_MESSAGE:
        message = "the running proxy sent nonsense"
        raise HandoverError(message)
    try:
        found = json.loads(await _exactly(connection, length))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        message = "the running proxy sent nonsense"
        raise HandoverError(message)
    return found


async def _exactly(connection: tsocket.SocketType, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        part = await connection.recv(length - len(parts))
        if not part:
            message = "the running proxy hung up"
            raise HandoverError(message)
        parts += part
    return bytes(parts)


async def send_fds(connection: tsocket.SocketType, fds: list[int]) -> None:
    """Send descriptors; the other side knows how many come."""
    for at in range(0, len(fds), _FDS_PER_MESSAGE):
        batch = array.array("i", fds[at : at + _FDS_PER_MESSAGE])
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, batch)]
        await connection.sendmsg([b"F"], rights)


async def receive_fds(connection: tsocket.SocketType, fds: list[int], count: int) -> None:
    """Receive `count` descriptors into `fds`, which has them also when this fails."""
    room = socket.CMSG_SPACE(_FDS_PER_MESSAGE * array.array("i").itemsize)
    while len(fds) < count:
        data, ancillary, _, _ = await connection.recvmsg(1, room, socket.MSG_CMSG_CLOEXEC)
        for level, kind, raw in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                batch = array.array("i")
                batch.frombytes(raw[: len(raw) - len(raw) % batch.itemsize])
                fds.extend(batch)
        if not data:
            message = "the running proxy hung up"
            raise HandoverError(message)


def number(message: Message, key: str) -> int:
    """A number of a message; 0 when it has none."""
    found = message.get(key)
    return found if isinstance(found, int) else 0


def of_this_user(connection: tsocket.SocketType) -> bool:
    """Whether the other side is a process of this user, or of root."""
    size = struct.calcsize("3i")
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    _, uid, _ = struct.unpack("3i", raw)
    return uid in {0, os.geteuid()}
