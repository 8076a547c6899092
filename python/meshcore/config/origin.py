"""Where a configuration came from: the place that relative file names and problems refer to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from meshcore.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

Loc = tuple[str | int, ...]
"""A way into a document: keys and indexes."""

Place = tuple[str, int, int]
"""File, line and column, counted from 1."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A problem before its place in a file is known."""

    loc: Loc
    code: str
    message: str
    hint: str = ""
    at_key: bool = False

    @property
    def path(self) -> str:
        """`listeners[0].routes[2].to`."""
        return path_text(self.loc)

    def moved(self, to: Callable[[Loc], Loc]) -> Trouble:
        """The same at another place."""
        return replace(self, loc=to(self.loc))


def path_text(loc: Loc) -> str:
    """`listeners[0].routes[2].to`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc)
    return "".join(steps).removeprefix(".")


def _unplaced(trouble: Trouble) -> Problem:
    return Problem(trouble.code, trouble.path, trouble.message, trouble.hint)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a configuration came from; built in Python, the working directory and no file."""

    base: str = ""
    """The directory that relative file names refer to."""
    files: tuple[str, ...] = ()
    """The documents."""
    placed: Callable[[Trouble], Problem] = field(default=_unplaced, compare=False)
    """Finds file, line and column of a trouble: those of the deepest part that exists."""
