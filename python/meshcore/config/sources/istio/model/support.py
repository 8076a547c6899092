"""What becomes of each field of Istio's kinds: the marks that docs/istio.md is generated from.

Every field carries one. A field that is marked as becoming a native key is supported as soon as
the native model has that key, and refused until then, so that nothing is ever ignored.
"""

from __future__ import annotations

import typing
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from meshcore.config.model import Cluster, Config, Listener, Part, Route

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_ROOTS: dict[str, type[Part]] = {
    "config": Config,
    "listener": Listener,
    "route": Route,
    "cluster": Cluster,
}


@dataclass(frozen=True, slots=True)
class To:
    """Becomes native keys: `route.timeout`, `cluster.tls.ca`."""

    keys: str
    """Blank-separated; all of them are needed."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """Decides what is made, without a key of its own."""

    note: str


@dataclass(frozen=True, slots=True)
class Inside:
    """A mapping whose fields have marks of their own."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """Is not supported."""

    reason: str


Mark = To | Read | Inside | Refused


def mark_of(field: FieldInfo) -> Mark:
    """The mark of a field.

    Raises:
        LookupError: It has none.
    """
    for item in field.metadata:
        if isinstance(item, (To, Read, Inside, Refused)):
            return item
    message = "a field without a mark"
    raise LookupError(message)


def refusal(mark: Mark) -> str:
    """Why a field with this mark can't be used; empty where it can."""
    if isinstance(mark, Refused):
        return mark.reason
    if isinstance(mark, To):
        absent = [key for key in mark.keys.split() if not has_key(key)]
        if absent:
            return f"needs {' and '.join(absent)}, which the native document doesn't have yet"
    return ""


@cache
def has_key(path: str) -> bool:
    """Whether the native document has this key."""
    root, *steps = path.split(".")
    found: object = _ROOTS[root]
    for step in steps:
        parts = _parts(found)
        fields = [
            field
            for part in parts
            for key, field in part.model_fields.items()
            if step == (field.alias or key)
        ]
        if not fields:
            return False
        found = fields[0].annotation
    return True


def choices(path: str) -> frozenset[str]:
    """The words that a native key takes."""
    root, *steps = path.split(".")
    found: object = _ROOTS[root]
    for step in steps:
        parts = _parts(found)
        found = next(part.model_fields[step].annotation for part in parts)
    return frozenset(map(str, _words(found)))


def _words(annotation: object) -> list[object]:
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) is typing.Literal:
        return list(arguments)
    return [word for argument in arguments for word in _words(argument)]


def _parts(annotation: object) -> list[type[Part]]:
    """Every model that a value of this type may hold."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return [annotation]
    return [part for argument in typing.get_args(annotation) for part in _parts(argument)]
