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
from contextvars import Context, copy_context
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

import trio
from trio.lowlevel import notify_closing, wait_readable

from meshcore.hooks.steps import Begun, rest
from meshcore.hooks.verdicts import told

if TYPE_CHECKING:
    from collections.abc import Callable

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

    def take_questions(self, limit: int) -> list[Question]:
        """Takes at most `limit` of them."""

    def answer_question(self, ident: int, kind: str, detail: Detail | None = None) -> None:
        """Answers one; ValueError says that the answer makes no sense."""

    def hook_reloaded(self, name: str, ok: bool) -> None:
        """Counts a reload."""


class Call(NamedTuple):
    """A question that a hook's function is to answer by the deadline."""

    binding: Binding
    question: Question
    deadline: float


class Binding:
    """A hook with its function: what is called now, and what waits to be."""

    __slots__ = ("active", "bound", "concurrency", "name", "waiting")

    def __init__(self, name: str, bound: Bound, concurrency: int) -> None:
        self.name = name
        self.bound = bound
        self.concurrency = concurrency
        self.active = 0
        # No longer than the engine lets questions be open.
        self.waiting: deque[Call] = deque()


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
        # Taken and not begun, with their deadlines.
        self._taken: deque[tuple[Question, float]] = deque()

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
            self._desk.answer_question(binding.waiting.popleft().question.ident, "gone")

    async def _lead(self, nursery: trio.Nursery, fd: int) -> None:
        """Begin calls, until one has to wait: this task then ends with it, and another leads."""
        with trio.CancelScope() as scope:
            while True:
                while self._taken:
                    call = self._admitted(*self._taken.popleft())
                    if call is None:
                        continue
                    before = copy_context()
                    begun = self._begin(nursery, call)
                    if begun is None and _same(before, copy_context()):
                        continue
                    # What the function left in this task's context is no other call's.
                    before.run(partial(nursery.start_soon, self._lead, nursery, fd, name=_NAME))
                    if begun is not None:
                        scope.deadline = call.deadline
                        await self._finish(nursery, call, begun, scope)
                    return
                await wait_readable(fd)
                now = trio.current_time()
                for question in self._desk.take_questions(BATCH):
                    self._taken.append((question, now + question.left_us / _MICROSECONDS))

    def _admitted(self, question: Question, deadline: float) -> Call | None:
        """The call that answers a question, if there is to be one now."""
        binding = self._bindings.get(question.hook)
        if binding is None:
            self._desk.answer_question(question.ident, "gone")
            return None
        if deadline <= trio.current_time():
            self._desk.answer_question(question.ident, "timeout")
            return None
        call = Call(binding, question, deadline)
        if binding.active >= binding.concurrency:
            binding.waiting.append(call)
            return None
        binding.active += 1
        return call

    def _begin(self, nursery: trio.Nursery, call: Call) -> Begun | None:
        """Take a call's first step; None if it has ended with that."""
        binding, question, _ = call
        ident = question.ident
        bound = binding.bound
        bound.life.calls += 1
        begun = None
        try:
            if not bound.life.alive:
                self._desk.answer_question(ident, "gone")
                return None
            coroutine = bound(question)
            begun = Begun(bound.life, coroutine, coroutine.send(None))
        except StopIteration as ended:
            self._answer(binding.name, ident, ended.value)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            self._fault(binding.name, ident, "raised", error)
        finally:
            if begun is None:
                self._ended(nursery, binding, bound.life)
        return begun

    async def _finish(
        self, nursery: trio.Nursery, call: Call, begun: Begun, scope: trio.CancelScope
    ) -> None:
        """Take a call's other steps; `scope` ends at its deadline."""
        binding, question, _ = call
        ident = question.ident
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

    async def _alone(self, nursery: trio.Nursery, call: Call) -> None:
        """Make a call that has waited for its place."""
        with trio.CancelScope(deadline=call.deadline) as scope:
            if (begun := self._begin(nursery, call)) is not None:
                await self._finish(nursery, call, begun, scope)

    def _ended(self, nursery: trio.Nursery, binding: Binding, life: Life) -> None:
        """A call has ended: begin what waits for its place."""
        life.left()
        binding.active -= 1
        now = trio.current_time()
        while binding.waiting and binding.active < binding.concurrency:
            following = binding.waiting.popleft()
            if following.deadline <= now:
                # Nobody waits for it any more; it would only delay the rest.
                self._desk.answer_question(following.question.ident, "timeout")
                continue
            binding.active += 1
            nursery.start_soon(self._alone, nursery, following, name=_NAME)

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
