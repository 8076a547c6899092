"""nghttp2's server: files of a folder over HTTP/2 alone."""

import os
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from tests.support.proxy import START_PATIENCE, proc

LISTENS = "0A"


@asynccontextmanager
async def nghttpd(folder: Path) -> AsyncIterator[str]:
    """A server of what stands in `folder`, in cleartext; its address."""
    command = ["nghttpd", "--no-tls", "-a", "127.0.0.1", "-d", str(folder), "0"]
    process = await trio.lowlevel.open_process(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        with trio.fail_after(START_PATIENCE):
            while (port := listening(process.pid)) is None:
                assert process.returncode is None
                await trio.lowlevel.checkpoint()
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


def listening(pid: int) -> int | None:
    """The port on which a process listens; it doesn't tell the one that it was given."""
    sockets = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets.update(re.findall(r"socket:\[(\d+)\]", os.readlink(path)))
        except FileNotFoundError:
            continue
    for line in proc(pid, "net/tcp").splitlines()[1:]:
        fields = line.split()
        if fields[3] == LISTENS and fields[9] in sockets:
            return int(fields[1].rpartition(":")[2], 16)
    return None
