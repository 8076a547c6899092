"""`meshcore proxy` as a subprocess: started, asked, changed, and ended in order."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypedDict

import trio

from tests.support.wire import Wire, connect

START_PATIENCE = 20.0
STOP_PATIENCE = 20.0
COMMAND = str(Path(sys.executable).parent / "meshcore")


class Document(TypedDict, total=False):
    """What a user writes."""

    listeners: list[dict[str, object]]
    clusters: list[dict[str, object]]
    hooks: list[dict[str, object]]
    rate_limit_services: list[dict[str, object]]
    drain: dict[str, str]
    admin: dict[str, str]
    overload: dict[str, object]
    locality: str


def web(*endpoints: str, **listener: object) -> Document:
    """The document of one HTTP listener before one cluster, both called `web`."""
    return {
        "listeners": [
            {"name": "web", "address": "127.0.0.1:0", "routes": [{"to": "web"}], **listener}
        ],
        "clusters": [{"name": "web", "endpoints": list(endpoints)}],
    }


class Proxy:
    """A running proxy."""

    def __init__(self, process: trio.Process, path: Path) -> None:
        """Watch `process`, whose document stands in `path`."""
        self.process = process
        self.path = path
        self.words: list[str] = []
        self._spoke = trio.Event()
        self._admin: int | None = None

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    async def listen(self) -> None:
        """Note what it says on stderr until it ends."""
        assert self.process.stderr is not None
        kept = b""
        async for data in self.process.stderr:
            *lines, kept = (kept + data).split(b"\n")
            for line in lines:
                self.words.append(line.decode(errors="replace"))
                self._spoke.set()
                self._spoke = trio.Event()
        self.words.append(kept.decode(errors="replace"))
        self._spoke.set()

    async def says(self, pattern: str, since: int = 0) -> re.Match[str]:
        """Wait for a line on stderr."""
        with trio.fail_after(START_PATIENCE):
            while True:
                for line in self.words[since:]:
                    if found := re.search(pattern, line):
                        return found
                assert self.process.returncode is None, self.words
                await self._spoke.wait()

    async def admin(self) -> int:
        """The port of its admin endpoints: the one that no listener has."""
        if self._admin is None:
            await self.says("runs generation")
            said = await self.says(r"admin endpoints on .*:(\d+)$")
            self._admin = int(said[1])
        return self._admin

    async def ask(self, target: str, method: str = "GET") -> str:
        """An answer of the admin endpoints."""
        async with connect(await self.admin()) as wire:
            head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
            await wire.send(head.encode())
            answer = await wire.response(method)
        assert answer.status == 200, (target, answer)
        return answer.body.decode()

    async def port(self, listener: str = "web") -> int:
        """The port that a listener has."""
        known = json.loads(await self.ask("/listeners?format=json"))
        (address,) = (one["local_address"] for one in known if one["name"] == listener)
        return int(address.rpartition(":")[2])

    async def metric(self, name: str, **labels: str) -> float:
        """A metric, summed over the labels that aren't given."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        lines = (await self.ask("/stats/prometheus")).splitlines()
        series = re.compile(rf"{name}(?:\{{(.*)\}})? (\S+)$")
        found = [match for line in lines if (match := series.match(line))]
        return sum(
            float(match[2]) for match in found if all(label in (match[1] or "") for label in wanted)
        )

    async def generation(self) -> int:
        """The number of the snapshot that every worker runs."""
        return int(await self.metric("meshcore_engine_generation"))

    async def becomes(self, generation: int) -> None:
        """Wait until a snapshot of at least this number runs."""
        with trio.move_on_after(START_PATIENCE) as patience:
            # Each turn waits for an answer of the proxy.
            while await self.generation() < generation:
                pass
        assert not patience.cancelled_caught, self.words

    async def change(self, document: Document) -> None:
        """Write a new document and wait until it is in force."""
        before = await self.generation()
        write(self.path, document)
        await self.becomes(before + 1)

    def resident_kib(self) -> int:
        """Its resident memory."""
        return resident_kib(self.pid)

    def cpu_seconds(self) -> float:
        """User and system time that it has used."""
        fields = proc(self.pid, "stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self) -> int:
        """How many file descriptors it has."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    async def stop(self) -> None:
        """Ask it to drain and demand a clean end."""
        panics = await self.metric("meshcore_worker_panics_total")
        self.process.send_signal(signal.SIGTERM)
        with trio.fail_after(STOP_PATIENCE):
            status = await self.process.wait()
        assert (status, panics) == (0, 0), self.words


def proc(pid: int, name: str) -> str:
    """A file of the kernel about a process."""
    return Path(f"/proc/{pid}/{name}").read_text()


def resident_kib(pid: int) -> int:
    """The resident memory of a process."""
    return int(re.findall(r"VmRSS:\s+(\d+)", proc(pid, "status"))[0])


def write(path: Path, document: Document) -> None:
    """Replace a document in one step, as editors do."""
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps({"admin": {"address": "127.0.0.1:0"}, **document}))
    beside.rename(path)


@asynccontextmanager
async def running(
    folder: Path,
    document: Document,
    *flags: str,
    stop: bool = True,
    command: Sequence[str] = (COMMAND,),
) -> AsyncIterator[Proxy]:
    """A proxy with this document; it must end cleanly where `stop`."""
    path = folder / "proxy.yaml"
    write(path, document)
    async with running_path(folder, path, *flags, stop=stop, command=command) as proxy:
        yield proxy


@asynccontextmanager
async def running_path(
    folder: Path,
    path: Path,
    *flags: str,
    stop: bool = True,
    command: Sequence[str] = (COMMAND,),
) -> AsyncIterator[Proxy]:
    """A proxy with what stands at `path`: a document, or a directory of them."""
    command = [*command, "proxy", "-c", str(path), *flags]
    environment = {**os.environ, "MESHCORE_STATE_DIR": str(folder), "NO_COLOR": "1"}
    process = await trio.lowlevel.open_process(command, stderr=subprocess.PIPE, env=environment)
    async with trio.open_nursery() as nursery:
        proxy = Proxy(process, path)
        nursery.start_soon(proxy.listen)
        try:
            await proxy.admin()
            yield proxy
            if stop:
                await proxy.stop()
        finally:
            if process.returncode is None:
                process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
    assert process.stderr is not None
    await process.stderr.aclose()


@asynccontextmanager
async def talking(folder: Path, document: Document, *flags: str) -> AsyncIterator[Wire]:
    """A connection to the listener `web` of a proxy with this document."""
    async with running(folder, document, *flags) as proxy, connect(await proxy.port()) as wire:
        yield wire
