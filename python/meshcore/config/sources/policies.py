"""What a part of a configuration says, key by key, and what holds where it says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from meshcore.config.hook_resources import effective, usual_timeout
from meshcore.config.model import Part
from meshcore.config.model.units import duration_text

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from meshcore.config.model import Hook
    from meshcore.config.origin import Loc
    from meshcore.hooks.api import Declared


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


def hook_policies(
    hook: Hook, said: Declared | None, loc: Loc
) -> Iterator[tuple[str, str, Loc | str]]:
    """The same of a hook, with what its function declares; each with its place, or in words."""
    whole, function = hook, hook.python or ""
    if said is not None:
        whole = effective(hook, said)
        yield "phase", said.phase, function
        for index, name in enumerate(said.headers):
            yield f"headers[{index}]", name, function
    if whole.timeout is None:
        yield "timeout", duration_text(usual_timeout(hook)), "default"
    for policy in policies(whole, loc, ("name",)):
        if policy.loc is None:
            yield policy.key, policy.value, "default"
        else:
            written = _given(hook, policy.loc[len(loc) :])
            yield policy.key, policy.value, policy.loc if written else function


def _given(part: Part, loc: Loc) -> bool:
    """Whether the document has this key."""
    key = loc[0]
    if key not in part.model_fields_set:
        return False
    inner = getattr(part, str(key))
    return _given(inner, loc[1:]) if isinstance(inner, Part) and len(loc) > 1 else True


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
