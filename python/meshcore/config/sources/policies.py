"""What a part of a configuration says, key by key, and what holds where it says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from meshcore.config.model import Part
from meshcore.config.model.units import duration_text

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from meshcore.config.origin import Loc


@dataclass(frozen=True, slots=True)
class Policy:
    """One key."""

    key: str
    """`retries.attempts`."""
    value: str
    """As a document would have it."""
    loc: Loc | None
    """Where it stands in the configuration; None for a default."""


def policies(part: Part, loc: Loc, leave: Container[str] = ()) -> Iterator[Policy]:
    """Every key of `part` that has a say, with those below it; not the defaults that are off."""
    for name in type(part).model_fields:
        if name in leave:
            continue
        given = name in part.model_fields_set
        yield from _of(getattr(part, name), name, (*loc, name) if given else None)


def _of(value: object, key: str, loc: Loc | None) -> Iterator[Policy]:
    if isinstance(value, Part):
        for name in type(value).model_fields:
            given = loc is not None and name in value.model_fields_set
            below = (*loc, name) if loc is not None and given else None
            shown = type(value).model_fields[name].alias or name
            yield from _of(getattr(value, name), f"{key}.{shown}", below)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _of(item, f"{key}.{name}", None if loc is None else (*loc, str(name)))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _of(item, f"{key}[{index}]", None if loc is None else (*loc, index))
    elif value is not None and (loc is not None or value):
        # A default that is nothing, zero or off says nothing.
        yield Policy(key, _text(value), loc)


def _text(value: object) -> str:
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
