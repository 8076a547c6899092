"""A stand-in for `meshcore._engine` that keeps its contract without moving a byte of traffic.

For tests of the Python side alone: it knows what was applied, listens on real sockets (so that
they can be handed over), and completes when the test says so. Border tests use the real engine.
"""

import contextlib
import json
import os
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

version = "0.0.0"
features = "in-memory"

Credentials = Sequence[tuple[str, bytes, bytes | None]]
Payload = bytes | int | None

LISTS = {
    "listeners": "Listener",
    "route_tables": "RouteTable",
    "clusters": "Cluster",
    "endpoints": "Endpoints",
}


def check(delta: bytes, credentials: Credentials) -> bytes:
    """Refuses what is named `refuse-me`, so that tests can see a refusal travel."""
    names = {name for name, _, _ in credentials}
    problems = []
    for key, kind in LISTS.items():
        for resource in json.loads(delta).get(key, []):
            if resource["name"] == "refuse-me":
                problems.append(problem(kind, resource["name"], "name"))
            for wanted in resource.get("tls", {}).get("certificates", []):
                assert wanted in names, "a credential was named and not sent"
    return json.dumps(problems).encode()


def problem(kind: str, name: str, path: str) -> dict[str, str]:
    return {
        "code": "refused",
        "kind": kind,
        "name": name,
        "path": path,
        "message": "refused by the stand-in",
        "hint": "",
    }


@dataclass
class Engine:
    """See `_engine.pyi`; `hold` keeps completions back until `release`."""

    workers: int = 0
    admin: str = ""
    pin: bool = False
    sockets: Sequence[tuple[str, int]] = ()
    hold: bool = False
    resources: dict[tuple[str, str], str] = field(default_factory=dict)
    deltas: list[bytes] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    held: list[tuple[int, str, Payload]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._events: deque[tuple[int, str, Payload]] = deque()
        self._ident = 0
        self._generation = 0
        self._bound: dict[str, tuple[str, socket.socket]] = {}
        self._given = {address: socket.socket(fileno=os.dup(fd)) for address, fd in self.sockets}
        self.stopped = False

    def event_fd(self) -> int:
        return self._fd

    def drain_events(self, limit: int) -> list[tuple[int, str, Payload]]:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._fd)
        found = [self._events.popleft() for _ in range(min(limit, len(self._events)))]
        if self._events:
            os.eventfd_write(self._fd, 1)
        return found

    def emit(self, ident: int, kind: str, payload: Payload = None) -> None:
        self._events.append((ident, kind, payload))
        os.eventfd_write(self._fd, 1)

    def cancel(self, ident: int) -> None:
        self.cancelled.append(ident)

    def apply(self, delta: bytes, credentials: Credentials) -> int:
        self.deltas.append(delta)
        refused = check(delta, credentials)
        if refused != b"[]":
            return self._complete("refused", refused)
        found = json.loads(delta)
        for key, kind in LISTS.items():
            for resource in found.get(key, []):
                self.resources[kind, resource["name"]] = json.dumps(resource)
        for gone in found.get("remove", []):
            self.resources.pop((gone["kind"], gone["name"]), None)
        try:
            self._listen()
        except OSError as error:
            return self._complete("failed", f"cannot listen: {error.strerror}".encode())
        self._generation += 1
        return self._complete("applied", self._generation)

    def _listen(self) -> None:
        wanted = {
            name: json.loads(body)["address"]
            for (kind, name), body in self.resources.items()
            if kind == "Listener"
        }
        for name in set(self._bound) - set(wanted):
            self._bound.pop(name)[1].close()
        for name, address in wanted.items():
            if name not in self._bound:
                given = self._given.pop(address, None)
                host, _, port = address.rpartition(":")
                made = given or socket.create_server((host, int(port)))
                self._bound[name] = (address, made)

    def _complete(self, kind: str, payload: Payload) -> int:
        self._ident += 1
        if self.hold:
            self.held.append((self._ident, kind, payload))
        else:
            self.emit(self._ident, kind, payload)
        return self._ident

    def release(self) -> None:
        for event in self.held:
            self.emit(*event)
        self.held.clear()

    def drain(self, timeout_ms: int, idle_grace_ms: int) -> int:
        assert timeout_ms >= 0
        assert idle_grace_ms >= 0
        for _, made in self._bound.values():
            made.close()
        self._bound.clear()
        return self._complete("drained", None)

    def stop(self) -> None:
        if not self.stopped:
            self.stopped = True
            for _, made in self._bound.values():
                made.close()
            for made in self._given.values():
                made.close()
            os.close(self._fd)

    def stats(self) -> bytes:
        names = [name for kind, name in self.resources if kind == "Cluster"]
        return json.dumps({"clusters": {name: {"requests_total": 0} for name in names}}).encode()

    def generation(self) -> int:
        return self._generation

    def listeners(self) -> list[tuple[str, str, str, int]]:
        return [
            (name, address, "{}:{}".format(*made.getsockname()[:2]), made.fileno())
            for name, (address, made) in self._bound.items()
        ]

    def admin_socket(self) -> tuple[str, str, int] | None:
        return None

    def hand_over_admin(self) -> None:
        return

    def set_log_level(self, level: str) -> None:
        assert level

    def reopen_logs(self) -> None:
        return
