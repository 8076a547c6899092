"""Coroutines whose first step is taken by hand: a task has to be theirs only if they wait."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

    from meshcore.hooks.module import Life


class Begun(NamedTuple):
    """A call that waits: its module's life, its coroutine, and what that tells trio."""

    life: Life
    coroutine: Coroutine[object, object, object]
    message: object


@types.coroutine
def rest(begun: Begun) -> Generator[object, object, object]:
    """Await what is left of it, as `await` would have (PEP 380), in the task of its first step."""
    _, coroutine, message = begun
    try:
        while True:
            try:
                sent = yield message
            except BaseException as error:
                message = coroutine.throw(error)
            else:
                message = coroutine.send(sent)
    except StopIteration as ended:
        return ended.value
