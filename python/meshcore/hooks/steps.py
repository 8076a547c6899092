"""Coroutines whose first step is taken by hand: a task has to be theirs only if they wait."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator
    from contextvars import Context

    from meshcore.hooks.dispatch import Binding
    from meshcore.hooks.module import Life
    from meshcore.hooks.question import Question


class Begun(NamedTuple):
    """A call that waits."""

    binding: Binding
    question: Question
    life: Life
    """Of the module that it runs in."""
    coroutine: Coroutine[object, object, object]
    context: Context
    message: object
    """What it tells trio by waiting."""


@types.coroutine
def rest(begun: Begun) -> Generator[object, object, object]:
    """Await what is left of it, as `await` would have (PEP 380), in the task of its first step."""
    _, _, _, coroutine, context, message = begun
    try:
        while True:
            try:
                sent = yield message
            except BaseException as error:
                message = context.run(coroutine.throw, error)
            else:
                message = context.run(coroutine.send, sent)
    except StopIteration as ended:
        return ended.value
