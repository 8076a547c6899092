"""Takes questions from the engine and has functions answer them, each call in a task.

One task leads: it waits for questions. It calls for the first of them itself, since to start a task
for it would take as long as most functions do. Should the function have to wait, a spare task leads
from then on, and sets the deadline at which the call is cancelled. A function's faults stay its
own: what it raises becomes an answer, and more calls than it may have at once wait here. Nothing is
said of single calls but of the first fault in a while.
"""

from __future__ import annotations

import math
import sys
import traceback
from collections import deque
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Protocol

import trio
from trio.lowlevel import (
    Abort,
    Task,
    current_task,
    notify_closing,
    reschedule,
    wait_readable,
    wait_task_rescheduled,
)

from meshcore.hooks.verdicts import told

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshcore.hooks.module import Bound
    from meshcore.hooks.subjects import Question
    from meshcore.hooks.verdicts import Detail

# Questions taken in one go; more than that let other tasks run in between.
BATCH = 256
# A hook that fails at every call says so this often, in seconds, for each kind of fault.
NOTICE_INTERVAL = 60.0

_MICROSECONDS = 1e6
_NAME = "meshcore hook"


class Desk(Protocol):
    """The part of an engine that asks."""

    def hook_fd(self) -> int:
        """Turns readable when there are questions."""

    def take_questions(self, limit: int) -> list[Question]:
        """Takes at most `limit` of them."""

    def answer_question(self, ident: int, kind: str, detail: Detail | None = None) -> None:
        """Answers one; ValueError says that the answer makes no sense."""

    def hook_reloaded(self, name: str, ok: bool) -> None:
        """Counts a reload."""


class Binding:
    """A hook with its function: what is called now, and what waits to be."""

    __slots__ = ("active", "bound", "concurrency", "name", "waiting")

    def __init__(self, name: str, bound: Bound, concurrency: int) -> None:
        self.name = name
        self.bound = bound
        self.concurrency = concurrency
        self.active = 0
        # No longer than the engine lets questions be open.
        self.waiting: deque[tuple[Question, float]] = deque()


def to_stderr(text: str) -> None:
    """Tell the operator."""
    print(f"meshcore: {text}", file=sys.stderr, flush=True)


class Dispatcher:
    """Answers the questions of one engine."""

    def __init__(self, desk: Desk, tell: Callable[[str], None] = to_stderr) -> None:
        self._desk = desk
        self._tell = tell
        self._bindings: dict[str, Binding] = {}
        self._told: dict[tuple[str, str], float] = {}
        # Whether a task waits for questions, or is about to.
        self._led = False
        self._spare: Task | None = None
        # The call that the task that led has begun, with its deadline.
        self._begun: tuple[trio.CancelScope, float] | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Answer until cancelled."""
        fd = self._desk.hook_fd()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._work, nursery, fd)
                task_status.started()
        finally:
            notify_closing(fd)

    def put(self, name: str, bound: Bound, concurrency: int) -> None:
        """Have a hook's questions answered by this function; calls under way end as they began."""
        if (binding := self._bindings.get(name)) is not None:
            binding.bound, binding.concurrency = bound, concurrency
        else:
            self._bindings[name] = Binding(name, bound, concurrency)

    def drop(self, name: str) -> None:
        """Answer this hook's questions no more."""
        self._told = {key: at for key, at in self._told.items() if key[0] != name}
        binding = self._bindings.pop(name, None)
        while binding is not None and binding.waiting:
            self._desk.answer_question(binding.waiting.popleft()[0][0], "gone")

    async def _work(self, nursery: trio.Nursery, fd: int) -> None:
        spent = True
        while spent:
            # One for many calls, until one is cancelled by it.
            with trio.CancelScope() as scope:
                spent = await self._lead(nursery, fd, scope)

    async def _lead(self, nursery: trio.Nursery, fd: int, scope: trio.CancelScope) -> bool:
        """Lead when nobody does; gives whether `scope` is spent, rather than the task."""
        while True:
            if self._led and self._spare is not None:
                return False
            if self._led:
                await self._wait_as_spare()
                continue
            self._take_over()
            await wait_readable(fd)
            first = self._take(nursery)
            self._led = False
            if first is None:
                continue
            self._have_successor(nursery, fd)
            before = copy_context()
            binding, question, deadline = first
            self._begun = begun = (scope, deadline)
            await self._call(nursery, binding, question, scope)
            if self._begun is begun:
                self._begun = None
            else:
                scope.deadline = math.inf
                if scope.cancel_called:
                    return True
            if not _same(before, copy_context()):
                return False  # what the function left in its context is no other call's

    def _take_over(self) -> None:
        self._led = True
        if self._begun is not None:
            # The function has to wait: only now is it worth a deadline.
            scope, deadline = self._begun
            scope.deadline = deadline
            self._begun = None

    def _have_successor(self, nursery: trio.Nursery, fd: int) -> None:
        """Let another task run next; it leads if this one still calls then."""
        if self._spare is not None:
            reschedule(self._spare)
            self._spare = None
        else:
            nursery.start_soon(self._work, nursery, fd, name=_NAME)

    async def _wait_as_spare(self) -> None:
        def abort(_raise_cancel: object) -> Abort:
            self._spare = None
            return Abort.SUCCEEDED

        self._spare = current_task()
        await wait_task_rescheduled(abort)

    def _take(self, nursery: trio.Nursery) -> tuple[Binding, Question, float] | None:
        """Take questions and start calls; the first one is left to the caller."""
        now = trio.current_time()
        first = None
        for question in self._desk.take_questions(BATCH):
            binding = self._bindings.get(question[1])
            if binding is None:
                self._desk.answer_question(question[0], "gone")
                continue
            if not question[3]:
                self._desk.answer_question(question[0], "timeout")
                continue
            deadline = now + question[3] / _MICROSECONDS
            if binding.active >= binding.concurrency:
                binding.waiting.append((question, deadline))
                continue
            binding.active += 1
            if first is None:
                first = (binding, question, deadline)
            else:
                nursery.start_soon(self._alone, nursery, binding, question, deadline, name=_NAME)
        return first

    async def _alone(
        self, nursery: trio.Nursery, binding: Binding, question: Question, deadline: float
    ) -> None:
        with trio.CancelScope(deadline=deadline) as scope:
            await self._call(nursery, binding, question, scope)

    async def _call(
        self, nursery: trio.Nursery, binding: Binding, question: Question, scope: trio.CancelScope
    ) -> None:
        bound = binding.bound
        life = bound.life
        life.calls += 1
        try:
            if not life.alive:
                self._desk.answer_question(question[0], "gone")
                return
            verdict = await bound(question)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except trio.Cancelled:
            if not scope.cancel_called:
                raise
            self._fault(binding.name, question[0], "timeout", None)
        except BaseException as error:
            late = scope.cancel_called and _is_cancellation(error)
            self._fault(binding.name, question[0], "timeout" if late else "raised", error)
        else:
            self._answer(binding.name, question[0], verdict)
        finally:
            life.left()
            self._release(nursery, binding)

    def _release(self, nursery: trio.Nursery, binding: Binding) -> None:
        """A call has ended: begin what waits for its place."""
        binding.active -= 1
        now = trio.current_time()
        while binding.waiting and binding.active < binding.concurrency:
            question, deadline = binding.waiting.popleft()
            if deadline <= now:
                # Nobody waits for it any more; it would only delay the rest.
                self._desk.answer_question(question[0], "timeout")
                continue
            binding.active += 1
            nursery.start_soon(self._alone, nursery, binding, question, deadline, name=_NAME)

    def _answer(self, name: str, ident: int, verdict: object) -> None:
        try:
            self._desk.answer_question(ident, *told(verdict))
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            self._fault(name, ident, "nonsense", error)

    def _fault(self, name: str, ident: int, kind: str, error: BaseException | None) -> None:
        self._desk.answer_question(ident, kind)
        now = trio.current_time()
        last = self._told.get((name, kind))
        if last is not None and now - last < NOTICE_INTERVAL:
            return
        self._told[name, kind] = now
        if kind == "timeout":
            self._tell(f"hook {name}: a call took longer than it may, and was cancelled")
        elif kind == "nonsense":
            self._tell(f"hook {name}: what it gave is no verdict: {error}")
        elif error is not None:
            lines = "".join(traceback.format_exception(error)).rstrip()
            self._tell(f"hook {name} raised {type(error).__name__}\n{lines}")


def _is_cancellation(error: BaseException) -> bool:
    """Whether it is nothing else, in however many groups."""
    if isinstance(error, BaseExceptionGroup):
        return error.split(trio.Cancelled)[1] is None
    return isinstance(error, trio.Cancelled)


def _same(before: Context, after: Context) -> bool:
    """Whether nothing was set; costs next to nothing then."""
    try:
        return before == after
    except Exception:  # of values that can't be compared: they are others
        return False
