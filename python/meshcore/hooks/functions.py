"""What may be a hook or a lifespan, and which arguments it wants."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from meshcore.errors import HookError
from meshcore.hooks.api import Declared, declared_by, is_lifespan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping

NURSERY = "nursery"


class Called(Protocol):
    """A function as it is called: with the arguments that it names."""

    def __call__(self, **arguments: object) -> Coroutine[object, object, object]:
        """Begin a call."""


class Lifespan(Protocol):
    """A lifespan as it is called."""

    def __call__(self, **arguments: object) -> AsyncIterator[Mapping[str, object]]:
        """Begin a life."""


# What the engine gives in each phase.
_GIVEN = {
    "connection": frozenset({"connection"}),
    "request": frozenset({"request", "connection"}),
    "response": frozenset({"response", "request", "connection"}),
    "log": frozenset({"response", "request", "connection"}),
}
SUBJECTS = frozenset().union(*_GIVEN.values())


@dataclass(frozen=True, slots=True)
class Function:
    """A function that can be a hook."""

    ref: str
    call: Called
    declared: Declared
    wants: tuple[str, ...]
    """Its arguments."""
    optional: frozenset[str]
    """Those that have a default."""
    file: str
    line: int

    def missing(self, provided: Iterable[str]) -> str:
        """Why it can't be called with these besides what the engine gives; empty: it can."""
        known = _GIVEN[self.declared.phase] | {NURSERY, *provided}
        for name in self.wants:
            if name in known or name in self.optional:
                continue
            if name in SUBJECTS:
                return f"there is no {name!r} in the phase {self.declared.phase}"
            return f"nobody gives the argument {name!r}"
        return ""

    def refused(self, reason: str) -> HookError:
        """An error with its place."""
        return HookError(self.ref, reason, self.file, self.line)


def checked(found: object, ref: str, *, provided: bool) -> Function:
    """A function with its arguments.

    Args:
        found: What should be one.
        ref: `module:function`.
        provided: Whether a lifespan may give arguments, which only shows when it runs.

    Raises:
        HookError: It can't be a hook.
    """
    file, line = _place(found)
    if not callable(found) or not _is_async(found):
        raise HookError(ref, "is not an async function", file, line)
    wants: list[str] = []
    optional: set[str] = set()
    for parameter in inspect.signature(found).parameters.values():
        if parameter.kind is parameter.POSITIONAL_ONLY:
            reason = f"is called with arguments by name, and {parameter.name!r} has none"
            raise HookError(ref, reason, file, line)
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            continue
        wants.append(parameter.name)
        if parameter.default is not parameter.empty:
            optional.add(parameter.name)
    call = cast("Called", found)
    made = Function(ref, call, declared_by(found), tuple(wants), frozenset(optional), file, line)
    if reason := made.missing(made.wants if provided else ()):
        raise made.refused(f"{reason}; the module has no lifespan that would")
    return made


def lifespan_of(names: Mapping[str, object], module: str) -> Lifespan | None:
    """The lifespan among what a module defines.

    Raises:
        HookError: There are several, or it isn't an async generator function.
    """
    found = {id(one): one for one in names.values() if is_lifespan(one)}
    if not found:
        return None
    one, *others = found.values()
    if others:
        raise HookError(module, "has more than one lifespan", *_place(others[0]))
    if not inspect.isasyncgenfunction(one):
        reason = "its lifespan is not an async generator function: async def with one yield"
        raise HookError(module, reason, *_place(one))
    return cast("Lifespan", one)


def _is_async(found: object) -> bool:
    called = getattr(found, "__call__", None)  # noqa: B004  # of an object, whether that is async
    return inspect.iscoroutinefunction(found) or inspect.iscoroutinefunction(called)


def _place(found: object) -> tuple[str, int]:
    code = getattr(inspect.unwrap(found), "__code__", None) if callable(found) else None
    return (code.co_filename, code.co_firstlineno) if code is not None else ("", 0)
