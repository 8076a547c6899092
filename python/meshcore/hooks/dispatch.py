"""Takes questions from the engine and has functions answer them.

One task leads: it waits for questions and takes the first step of each call itself, since most
functions end with it, and to start a task would take as long. A function that has to wait keeps the
task that it began in, with the deadline at which it is cancelled; another task leads from then on.
A function's faults stay its own: what it raises becomes an answer, and more calls than it may have
at once wait here. Nothing is said of single calls but of the first fault in a while.
"""

from __future__ import annotations

import sys
import traceback
from collections import deque
from contextvars import copy_context
from typing import TYPE_CHECKING, Protocol

import trio
from trio.lowlevel import notify_closing, wait_readable

from meshcore.hooks.steps import Begun, rest
from meshcore.hooks.verdicts import told

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meshcore.hooks.module import Bound, Life
    from meshcore.hooks.question import Question
    from meshcore.hooks.verdicts import Detail

# Questions taken in one go; more than that let other tasks run in between.
BATCH = 64
# A hook that fails at every call says so this often, in seconds, for each kind of fault.
NOTICE_INTERVAL = 60.0

_MICROSECONDS = 1e6
_NAME = "meshcore hook"


class Desk(Protocol):
    """The part of an engine that asks."""

    def hook_fd(self) -> int:
        """Turns readable when there are questions."""

    def take_questions(self, limit: int) -> Sequence[Question]:
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
        self.waiting: deque[Question] = deque()


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
        # Taken and not begun.
        self._taken: deque[Question] = deque()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Answer until cancelled."""
        fd = self._desk.hook_fd()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._lead, nursery, fd, name=_NAME)
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
            self._desk.answer_question(binding.waiting.popleft().ident, "gone")

    async def _lead(self, nursery: trio.Nursery, fd: int) -> None:
        """Begin calls, until one has to wait: this task then ends with it, and another leads."""
        with trio.CancelScope() as scope:
            while True:
                while self._taken:
                    question = self._taken.popleft()
                    binding = self._admitted(question)
                    if binding is None:
                        continue
                    begun = self._begin(nursery, binding, question)
                    if begun is None:
                        continue
                    nursery.start_soon(self._lead, nursery, fd, name=_NAME)
                    scope.deadline = _deadline(question)
                    await self._finish(nursery, begun, scope)
                    return
                await wait_readable(fd)
                self._taken.extend(self._desk.take_questions(BATCH))

    def _admitted(self, question: Question) -> Binding | None:
        """The hook that answers a question, if it can now."""
        binding = self._bindings.get(question.hook)
        if binding is None:
            self._desk.answer_question(question.ident, "gone")
            return None
        if not question.left_us:
            self._desk.answer_question(question.ident, "timeout")
            return None
        if binding.active >= binding.concurrency:
            binding.waiting.append(question)
            return None
        binding.active += 1
        return binding

    def _begin(self, nursery: trio.Nursery, binding: Binding, question: Question) -> Begun | None:
        """Take a call's first step; None if it has ended with that."""
        bound = binding.bound
        bound.life.calls += 1
        begun = None
        try:
            if not bound.life.alive:
                self._desk.answer_question(question.ident, "gone")
                return None
            coroutine = bound(question)
            # What it leaves in its context is no other call's.
            context = copy_context()
            message = context.run(coroutine.send, None)
            begun = Begun(binding, question, bound.life, coroutine, context, message)
        except StopIteration as ended:
            self._answer(binding.name, question.ident, ended.value)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            self._fault(binding.name, question.ident, "raised", error)
        finally:
            if begun is None:
                self._ended(nursery, binding, bound.life)
        return begun

    async def _finish(self, nursery: trio.Nursery, begun: Begun, scope: trio.CancelScope) -> None:
        """Take a call's other steps; `scope` ends at its deadline."""
        binding, ident = begun.binding, begun.question.ident
        try:
            verdict = await rest(begun)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except trio.Cancelled:
            if not scope.cancel_called:
                raise
            self._fault(binding.name, ident, "timeout", None)
        except BaseException as error:
            late = scope.cancel_called and _is_cancellation(error)
            self._fault(binding.name, ident, "timeout" if late else "raised", error)
        else:
            self._answer(binding.name, ident, verdict)
        finally:
            self._ended(nursery, binding, begun.life)

    async def _alone(self, nursery: trio.Nursery, binding: Binding, question: Question) -> None:
        """Make a call that has waited for its place."""
        with trio.CancelScope(deadline=_deadline(question)) as scope:
            if (begun := self._begin(nursery, binding, question)) is not None:
                await self._finish(nursery, begun, scope)

    def _ended(self, nursery: trio.Nursery, binding: Binding, life: Life) -> None:
        """A call has ended: begin what waits for its place."""
        life.left()
        binding.active -= 1
        while binding.waiting and binding.active < binding.concurrency:
            following = binding.waiting.popleft()
            if not following.left_us:
                # Nobody waits for it any more; it would only delay the rest.
                self._desk.answer_question(following.ident, "timeout")
                continue
            binding.active += 1
            nursery.start_soon(self._alone, nursery, binding, following, name=_NAME)

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


def _deadline(question: Question) -> float:
    """When nobody waits for an answer any more, on trio's clock."""
    return trio.current_time() + question.left_us / _MICROSECONDS
