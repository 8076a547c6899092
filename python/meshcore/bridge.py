"""How completions of the engine reach trio: one task waits on an eventfd and drains in batches.

A call returns an id at once and its completion arrives later as an event with that id. None can
slip in between a call's start and its sleep: events are drained by a task on the same trio thread,
and there is no checkpoint between the two. A completion that nobody waits for any more (its waiter
was cancelled) is ignored by its id. The engine never waits for Python, nor attaches to the
interpreter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

import outcome
import trio
from trio.lowlevel import (
    Abort,
    Task,
    checkpoint_if_cancelled,
    current_task,
    notify_closing,
    reschedule,
    wait_readable,
    wait_task_rescheduled,
)

from meshcore.errors import EngineStopped

if TYPE_CHECKING:
    from collections.abc import Callable

Payload: TypeAlias = "bytes | int | None"

# Events taken in one go; more than that let other tasks run in between.
BATCH = 256
# What nobody asked for.
UNASKED = 0


class Events(Protocol):
    """The part of an engine that the bridge needs."""

    def event_fd(self) -> int:
        """Turns readable when there are events."""

    def drain_events(self, limit: int) -> list[tuple[int, str, Payload]]:
        """Takes at most `limit` of them."""

    def cancel(self, ident: int) -> None:
        """Forgets a call."""


class Bridge:
    """Lets trio tasks wait for the completions of one engine."""

    def __init__(self, engine: Events, unasked: Callable[[str, Payload], None]) -> None:
        self._engine = engine
        self._unasked = unasked
        self._waiting: dict[int, Task] = {}
        self._running = False

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Hand out completions until cancelled; whoever still waits then gets `EngineStopped`."""
        fd = self._engine.event_fd()
        self._running = True
        task_status.started()
        try:
            while True:
                await wait_readable(fd)
                self._drain()
        finally:
            self._running = False
            notify_closing(fd)
            for task in self._waiting.values():
                reschedule(task, outcome.Error(EngineStopped()))
            self._waiting.clear()

    def _drain(self) -> None:
        for ident, kind, payload in self._engine.drain_events(BATCH):
            if ident == UNASKED:
                self._unasked(kind, payload)
            elif (task := self._waiting.pop(ident, None)) is not None:
                reschedule(task, outcome.Value((kind, payload)))

    async def call(self, start: Callable[[], int]) -> tuple[str, Payload]:
        """Start a call and wait for its completion: its kind and payload.

        When the waiting task is cancelled the engine is told to forget the call; what it had done
        by then stays done.

        Raises:
            EngineStopped: The bridge doesn't run, or ended meanwhile.
        """
        await checkpoint_if_cancelled()
        if not self._running:
            raise EngineStopped
        ident = start()
        self._waiting[ident] = current_task()

        def abort(_raise_cancel: object) -> Abort:
            del self._waiting[ident]
            self._engine.cancel(ident)
            return Abort.SUCCEEDED

        completion: tuple[str, Payload] = await wait_task_rescheduled(abort)
        return completion
