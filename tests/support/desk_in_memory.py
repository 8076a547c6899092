"""A stand-in for the part of an engine that asks Python's hooks; it checks answers likewise."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshcore.hooks.verdicts import Detail


@dataclass(frozen=True)
class Question:
    """What a test asks."""

    ident: int
    hook: str
    phase: str
    deadline: float
    status: int
    headers: Sequence[tuple[bytes, bytes]]
    method: str = "GET"
    path: str = "/p?q=1"
    authority: str = "host:80"
    scheme: str = "http"
    protocol: str = "HTTP/1.1"
    source: str = "10.0.0.1:5"
    identity: str | None = None
    listener: str = "web"
    route: str = "web/0"
    cluster: str = ""
    request_id: str = ""
    server_name: str | None = None
    body: bytes | None = None
    metadata: list[tuple[bytes, bytes]] = field(default_factory=list)

    @property
    def left_us(self) -> int:
        return max(0, round((self.deadline - trio.current_time()) * 1e6))

    def names(self) -> list[str]:
        return list(dict.fromkeys(name.lower().decode() for name, _ in self.headers))

    def values(self, name: str) -> list[str]:
        wanted = name.lower().encode()
        return [value.decode("latin-1") for of, value in self.headers if of.lower() == wanted]


@dataclass
class Desk:
    """Questions that a test asks, and the answers that came."""

    answers: list[tuple[int, str, Detail | None]] = field(default_factory=list)
    reloads: list[tuple[str, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._questions: deque[Question] = deque()
        self._ident = 0

    def close(self) -> None:
        """Free the descriptor."""
        os.close(self._fd)

    def ask(
        self,
        hook: str,
        *,
        phase: str = "request",
        left: float = 1.0,
        status: int = 0,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> int:
        """Leave a question; its id."""
        self._ident += 1
        deadline = trio.current_time() + left
        self._questions.append(Question(self._ident, hook, phase, deadline, status, headers))
        os.eventfd_write(self._fd, 1)
        return self._ident

    def kinds(self) -> list[str]:
        """The kinds of the answers, in the order of the questions."""
        return [kind for _, kind, _ in sorted(self.answers, key=lambda answer: answer[0])]

    def hook_fd(self) -> int:
        return self._fd

    def take_questions(self, limit: int) -> list[Question]:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._fd)
        found = [self._questions.popleft() for _ in range(min(limit, len(self._questions)))]
        if self._questions:
            os.eventfd_write(self._fd, 1)
        return found

    def answer_question(self, ident: int, kind: str, detail: Detail | None = None) -> None:
        status, target, edits, _, _ = detail or (0, "", [], b"", True)
        if kind == "answer" and not 200 <= status < 600:
            message = f"{status} is no status of 200 to 599"
            raise ValueError(message)
        if not isinstance(target, str):
            message = "the cluster's name is a str"
            raise TypeError(message)
        if any(b"\n" in value or " " in name for _, name, value in edits):
            message = "no head may hold that"
            raise ValueError(message)
        assert all(ident != known for known, _, _ in self.answers), "answered twice"
        self.answers.append((ident, kind, detail))

    def hook_reloaded(self, name: str, ok: bool) -> None:
        self.reloads.append((name, ok))
