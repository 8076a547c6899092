"""Hooks: policy that users write, in native code or in Python."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StrictStr

from meshcore.config.model.base import Part
from meshcore.config.model.match import OneOf
from meshcore.config.model.units import Count, Duration, Name, Size, refused

OnError = Literal["deny", "allow"]

_KEY = re.compile(
    r"identity|method|path|query|authority|source\.ip|route|listener|sni"
    r"|header\.[!#$%&'*+.^_`|~0-9A-Za-z-]+"
)
_FUNCTION = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*")


def _key(value: str) -> str:
    if not _KEY.fullmatch(value):
        hint = (
            "write header.<name>, identity, method, path, query, authority, source.ip, route, "
            "listener or sni"
        )
        raise refused("invalid_key", f"no verdict can depend on {value!r}", hint)
    return value


def _function(value: str) -> str:
    if not _FUNCTION.fullmatch(value):
        hint = "write module:function, for example policies:check"
        raise refused("invalid_function", f"{value!r} names no function", hint)
    return value


class HookCache(Part):
    """Verdicts that are remembered, so that repeated ones never reach Python."""

    key: tuple[Annotated[StrictStr, AfterValidator(_key)], ...] = ()
    """What a verdict depends on: `header.<name>`, `identity`, `method`, `path`, `query`,
    `authority`, `source.ip`, `route`, `listener`, `sni`; left out, what the function declares."""
    ttl: Duration = timedelta(seconds=30)
    """How long a verdict holds."""
    entries: Annotated[Count, Field(ge=1, le=1_000_000)] = 10_000
    """Verdicts that each worker remembers."""


class Hook(OneOf):
    """Policy that users write: a `filter` or `native` code, or a `python` function."""

    beside = frozenset(
        {"name", "config", "on_error", "timeout", "concurrency", "max_pending", "body", "cache"}
    )

    name: Name
    """What listeners and routes call it."""
    filter: StrictStr | None = None
    """Native code of an installed package: its entry point in the group `meshcore.filters`."""
    native: StrictStr | None = None
    """Native code of a shared library: its file."""
    python: Annotated[StrictStr, AfterValidator(_function)] | None = None
    """An async function, `module:function`; the document's folder is searched last. What it
    declares holds where the document is silent."""
    config: object = None
    """What native code is created with: text as it is, anything else as JSON."""
    on_error: OnError = "deny"
    """What becomes of a request when the hook fails: it is refused, or goes on."""
    timeout: Duration | None = None
    """How long native code may pause (`1s`), or the function may take (`100ms`); 1ms to 60s."""
    concurrency: Annotated[Count, Field(ge=1, le=1_000_000)] = 64
    """Calls of the function at once."""
    max_pending: Annotated[Count, Field(le=1_000_000)] = 1024
    """Questions that wait for a call; more have failed at once."""
    body: Size = 0
    """Bytes of the request's body that the function is told; a longer one is a failure (413)."""
    cache: HookCache | None = None
    """Remembers the function's verdicts; left out, as it declares."""


class HookUse(Part):
    """A hook where it is used."""

    name: Name
    """One of `hooks`."""
    on_error: OnError | None = None
    """In place of the hook's own."""


def _plain_is_name(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


HookUses = tuple[
    Annotated[HookUse, BeforeValidator(_plain_is_name, json_schema_input_type=str | HookUse)], ...
]
"""Hooks in the order of their calls: names, or `{name, on_error}`."""
