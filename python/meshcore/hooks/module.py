"""The life of a loaded module: its lifespan starts, its functions are called, its lifespan stops.

The lifespan runs in one task from its start to its end, as `async with` blocks within it demand. It
is stopped in order, not cancelled: what it closes may take a moment, but no more than a bound.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from meshcore.errors import HookError
from meshcore.hooks.functions import NURSERY, SUBJECTS
from meshcore.hooks.subjects import Connection, Request, Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from meshcore.hooks.functions import Called, Function, Lifespan
    from meshcore.hooks.question import Question

# What a lifespan may take to close its files and connections; it is cancelled then.
STOP_DEADLINE = 10.0

_MAKERS: dict[str, Callable[[Question], object]] = {
    "request": Request,
    "response": Response,
    "connection": Connection,
}


class Life:
    """A module at work; `run` in a task of its own."""

    def __init__(self, name: str, lifespan: Lifespan | None) -> None:
        self.name = name
        self.calls = 0
        self._lifespan = lifespan
        self._values: Mapping[str, object] | None = None
        self._scope = trio.CancelScope()
        self._end = trio.Event()
        self._retired = False

    async def run(
        self,
        failed: Callable[[Exception], None],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Live until `end`.

        Args:
            failed: Told when it ends by an error, once it has started.
            task_status: Told when it has started.

        Raises:
            HookError: It didn't start.
        """
        started = False
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    async with self._running(nursery) as values:
                        await trio.lowlevel.checkpoint_if_cancelled()
                        self._values = {NURSERY: nursery, **values}
                        started = True
                        task_status.started()
                        # From here on it is ended, not cancelled with whatever is around it.
                        self._scope.shield = True
                        await self._end.wait()
                    nursery.cancel_scope.cancel()
        except Exception as error:
            if not started:
                raise HookError(self.name, f"its lifespan didn't start: {words(error)}") from error
            failed(error)
        finally:
            self._values = None

    @asynccontextmanager
    async def _running(self, nursery: trio.Nursery) -> AsyncIterator[Mapping[str, object]]:
        if self._lifespan is None:
            yield {}
            return
        wanted = inspect.signature(self._lifespan).parameters
        given = {NURSERY: nursery} if NURSERY in wanted else {}
        async with asynccontextmanager(self._lifespan)(**given) as values:
            if not isinstance(values, Mapping):
                message = f"it yields {type(values).__name__}, and not a mapping of arguments"
                raise TypeError(message)
            yield values

    @property
    def alive(self) -> bool:
        """Whether its functions can be called."""
        return self._values is not None

    def bind(self, function: Function) -> Bound:
        """A function with the arguments that it gets in every call.

        Raises:
            HookError: It wants one that nobody gives.
        """
        values = self._values or {}
        if reason := function.missing(values):
            raise function.refused(f"{reason}; the lifespan yields {_list(values)}")
        fixed = {name: values[name] for name in function.wants if name in values}
        makers = [(name, _MAKERS[name]) for name in function.wants if name in SUBJECTS]
        return Bound(self, function.call, fixed, makers)

    def left(self) -> None:
        """A call has ended."""
        self.calls -= 1
        if self._retired and not self.calls:
            self.end()

    def retire(self) -> None:
        """Nothing new is called: end with the last call."""
        self._retired = True
        if not self.calls:
            self.end()

    def end(self) -> None:
        """Stop, within the bound."""
        self._end.set()
        if self._scope.deadline == math.inf:
            self._scope.deadline = trio.current_time() + STOP_DEADLINE


class Bound:
    """A function that can be called with a question."""

    __slots__ = ("_call", "_fixed", "_makers", "life")

    def __init__(
        self,
        life: Life,
        call: Called,
        fixed: dict[str, object],
        makers: list[tuple[str, Callable[[Question], object]]],
    ) -> None:
        self.life = life
        self._call = call
        self._fixed = fixed
        self._makers = makers

    def __call__(self, question: Question) -> Coroutine[object, object, object]:
        """Call it."""
        arguments = self._fixed.copy()
        for name, make in self._makers:
            arguments[name] = make(question)
        return self._call(**arguments)


def words(error: BaseException) -> str:
    """The error in a line."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


def _list(values: Mapping[str, object]) -> str:
    names = sorted(set(values) - {NURSERY})
    return ", ".join(names) or "nothing"
