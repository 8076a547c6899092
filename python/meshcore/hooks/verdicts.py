"""What a function decides. Each is made for one call: frozen ones would take thrice as long."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(slots=True)
class Continue:
    """The request, answer or connection goes on; None says the same, without changes.

    Attributes:
        set: Fields that have this value alone.
        add: Fields that have this value too.
        remove: Fields that go.
        cache: Whether this verdict may be remembered, where the hook has a cache.
    """

    set: Mapping[str, str | bytes] = field(default_factory=dict)
    add: Mapping[str, str | bytes] = field(default_factory=dict)
    remove: Sequence[str] = ()
    cache: bool = True


@dataclass(slots=True)
class Answer:
    """The request is answered here and reaches no upstream; a connection is closed.

    Attributes:
        status: 200 to 599.
        body: What follows the head; text is sent as UTF-8.
        headers: The answer's fields.
        cache: Whether this verdict may be remembered, where the hook has a cache.
    """

    status: int
    body: str | bytes = b""
    headers: Mapping[str, str | bytes] = field(default_factory=dict)
    cache: bool = True


@dataclass(slots=True)
class RouteTo:
    """The request goes to another cluster than its route's.

    Attributes:
        cluster: Its name.
        set: Fields that have this value alone.
        add: Fields that have this value too.
        remove: Fields that go.
        cache: Whether this verdict may be remembered, where the hook has a cache.
    """

    cluster: str
    set: Mapping[str, str | bytes] = field(default_factory=dict)
    add: Mapping[str, str | bytes] = field(default_factory=dict)
    remove: Sequence[str] = ()
    cache: bool = True


Verdict: TypeAlias = "Continue | Answer | RouteTo | None"

Edits: TypeAlias = "list[tuple[str, str, bytes]]"
Detail: TypeAlias = "tuple[int, str, Edits, bytes, bool]"


def told(verdict: object) -> tuple[str, Detail | None]:
    """A verdict as `answer_question` takes it.

    Raises:
        TypeError: It is none, or has a part of another type.
    """
    if verdict is None:
        return "continue", None
    if isinstance(verdict, Continue):
        if verdict.cache and not (verdict.set or verdict.add or verdict.remove):
            return "continue", None
        return "continue", (0, "", _edits(verdict), b"", verdict.cache)
    if isinstance(verdict, Answer):
        fields: Edits = [_edit("set", *it) for it in verdict.headers.items()]
        return "answer", (verdict.status, "", fields, _bytes(verdict.body), verdict.cache)
    if isinstance(verdict, RouteTo):
        return "route", (0, verdict.cluster, _edits(verdict), b"", verdict.cache)
    message = f"{verdict!r:.80} is no Continue, Answer, RouteTo or None"
    raise TypeError(message)


def _edits(verdict: Continue | RouteTo) -> Edits:
    edits: Edits = []
    if verdict.remove:
        if isinstance(verdict.remove, str):
            message = f"remove is a list of names, not {verdict.remove!r}"
            raise TypeError(message)
        edits += [_edit("remove", name, b"") for name in verdict.remove]
    if verdict.set:
        edits += [_edit("set", *it) for it in verdict.set.items()]
    if verdict.add:
        edits += [_edit("add", *it) for it in verdict.add.items()]
    return edits


def _edit(what: str, name: str, value: str | bytes) -> tuple[str, str, bytes]:
    return what, name, _bytes(value)


def _bytes(value: str | bytes) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    message = f"{value!r:.80} is neither str nor bytes"
    raise TypeError(message)
