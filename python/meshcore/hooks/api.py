"""How functions are declared as hooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar, overload

Phase: TypeAlias = Literal["connection", "request", "response", "log"]
OnError: TypeAlias = Literal["deny", "allow"]

PHASES = ("connection", "request", "response", "log")
ON_ERROR = ("deny", "allow")

F = TypeVar("F")

_DECLARED = "__meshcore_hook__"
_LIFESPAN = "__meshcore_lifespan__"


@dataclass(frozen=True, slots=True)
class Declared:
    """What a function says about itself; None where it leaves a thing to the document."""

    phase: str = "request"
    headers: tuple[str, ...] = ()
    body: int = 0
    cache: tuple[str, ...] = ()
    ttl: float | None = None
    entries: int | None = None
    timeout: float | None = None
    on_error: str | None = None
    concurrency: int | None = None
    max_pending: int | None = None


@overload
def hook(function: F, /) -> F: ...
@overload
def hook(
    *,
    phase: Phase = "request",
    headers: Sequence[str] = (),
    body: int = 0,
    cache: Sequence[str] = (),
    ttl: float | None = None,
    entries: int | None = None,
    timeout: float | None = None,
    on_error: OnError | None = None,
    concurrency: int | None = None,
    max_pending: int | None = None,
) -> Callable[[F], F]: ...
def hook(function: F | None = None, /, **declared: object) -> F | Callable[[F], F]:  # noqa: D417  # the overload names them
    """Declare an async function a hook.

    It is called with the arguments that it names: `request`, `response`, `connection`, `nursery`
    (of the module's life), or what the module's lifespan yields under that name. It returns a
    `Continue`, an `Answer`, a `RouteTo`, or None to let things go on. What is declared here holds
    unless the document says otherwise.

    Args:
        function: The function, where nothing is declared: `@meshcore.hook` alone.
        phase: When it is asked: `connection` (one was accepted), `request` (its head has a route),
            `response` (an upstream's head has come), `log` (a request has ended; the verdict is of
            no consequence).
        headers: The fields that it is told.
        body: Bytes of the request's body that it is told; a longer body is a failure.
        cache: What its verdict depends on: `header.NAME`, `identity`, `method`, `path`, `query`,
            `authority`, `source.ip`, `route`, `listener`, `sni`. Verdicts are then remembered, and
            repeated ones never reach Python.
        ttl: Seconds that a verdict is remembered.
        entries: Verdicts that each worker remembers.
        timeout: Seconds until it is cancelled and has failed.
        on_error: `deny`: a request whose hook fails is refused; `allow`: it goes on.
        concurrency: Calls at once.
        max_pending: Questions that wait for a call; more have failed at once.

    Raises:
        ValueError: A declaration makes no sense.
        TypeError: There is no such declaration.
    """
    made = _checked(declared)

    def mark(function: F) -> F:
        setattr(function, _DECLARED, made)
        return function

    return mark if function is None else mark(function)


def lifespan(function: F) -> F:
    """Declare an async generator function the life of its module.

    What stands before its one `yield` runs before the module's hooks are asked, what stands after
    it when none of them will be any more. It yields a mapping; hooks get its values as arguments of
    those names. It may name one argument itself: `nursery`, for tasks that live as long.
    """
    setattr(function, _LIFESPAN, True)
    return function


def declared_by(function: object) -> Declared:
    """What a function declares; the defaults where it isn't decorated."""
    found = getattr(function, _DECLARED, None)
    return found if isinstance(found, Declared) else Declared()


def all_declared(functions: Mapping[str, object]) -> dict[str, Declared]:
    """What functions declare, by the names of their hooks."""
    return {name: declared_by(function) for name, function in functions.items()}


def is_lifespan(found: object) -> bool:
    """Whether this was declared a module's life."""
    return getattr(found, _LIFESPAN, False) is True


def _checked(given: dict[str, object]) -> Declared:
    phase, on_error = given.get("phase", "request"), given.get("on_error")
    if phase not in PHASES:
        message = f"phase {phase!r} is none of {', '.join(PHASES)}"
        raise ValueError(message)
    if on_error is not None and on_error not in ON_ERROR:
        message = f"on_error {on_error!r} is neither deny nor allow"
        raise ValueError(message)
    for name in ("ttl", "timeout", "entries", "concurrency", "max_pending"):
        number = given.get(name)
        if number is not None and not (isinstance(number, (int, float)) and number > 0):
            message = f"{name} {number!r} is not more than nothing"
            raise ValueError(message)
    for name in ("headers", "cache"):
        names = given.get(name, ())
        if isinstance(names, str) or not isinstance(names, Sequence):
            message = f"{name} is a list of names, not {names!r}"
            raise TypeError(message)
        given[name] = tuple(str(one).lower() for one in names)
    return Declared(**given)  # type: ignore[arg-type]  # what isn't looked at above is typed by the overloads
