"""Hooks become resources: what the document says, and under it what their functions declare."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import TYPE_CHECKING

from meshcore.config.hooks import config_text
from meshcore.config.model import Hook, HookCache
from meshcore.config.resources import HOOK, Filter
from meshcore.hooks.api import Declared
from meshcore.hooks.spec import PythonHook

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshcore.config.model import Config
    from meshcore.config.resources import Compiled

# How long a native hook may pause, and a function may take, unless somebody says otherwise.
_PAUSE = timedelta(seconds=1)
_CALL = timedelta(milliseconds=100)

_MILLISECOND = timedelta(milliseconds=1)


def add_hooks(compiled: Compiled, config: Config, declared: Mapping[str, Declared]) -> None:
    """Add the hooks of a configuration, with what the engine's owner has to know of them.

    Args:
        compiled: Where to add them.
        config: The configuration.
        declared: What functions declare, by the names of their hooks. Those that no hook of the
            configuration has are hooks too: as they declare.
    """
    for hook in config.hooks:
        said = declared.get(hook.name, Declared())
        _add(compiled, hook, said, config.origin.base)
    known = {hook.name for hook in config.hooks}
    for name in declared.keys() - known:
        hook = Hook.model_construct({"name", "python"}, name=name, python="")
        _add(compiled, hook, declared[name], "")


def _add(compiled: Compiled, hook: Hook, said: Declared, base: str) -> None:
    wire: dict[str, object] = {"name": hook.name}
    if hook.python is None:
        key = filter_key(hook, base)
        wire |= {"on_error": hook.on_error, "timeout_ms": _ms(hook.timeout or usual_timeout(hook))}
        wire["native"] = {"filter": key, "config": config_text(hook)}
        if Filter(key) not in compiled.filters:
            compiled.filters.append(Filter(key))
    else:
        hook = effective(hook, said)
        wire |= {"on_error": hook.on_error, "timeout_ms": _ms(hook.timeout or usual_timeout(hook))}
        wire["python"] = _python(hook, said)
        compiled.hooks[hook.name] = PythonHook(hook.python or "", base, hook.concurrency)
    body = json.dumps(wire, ensure_ascii=False, separators=(",", ":"))
    compiled.add((HOOK, hook.name), body.encode())


def filter_key(hook: Hook, base: str) -> str:
    """Where the engine finds native code: an entry point's name, or a library's absolute path."""
    if hook.native is not None:
        return os.path.abspath(os.path.join(base, hook.native))
    return hook.filter or ""


def usual_timeout(hook: Hook) -> timedelta:
    """How long it may take where nobody says it."""
    return _PAUSE if hook.python is None else _CALL


def effective(hook: Hook, said: Declared) -> Hook:
    """The hook with what its function declares, where the document is silent."""
    declared: dict[str, object] = {
        "on_error": said.on_error,
        "timeout": None if said.timeout is None else timedelta(seconds=said.timeout),
        "concurrency": said.concurrency,
        "max_pending": said.max_pending,
        "body": said.body or None,
        "cache": _cache(hook.cache, said),
    }
    silent = declared.keys() - hook.model_fields_set | {"cache"}
    changes = {key: declared[key] for key in silent if declared[key] is not None}
    return hook.model_copy(update=changes)


def _cache(given: HookCache | None, said: Declared) -> HookCache | None:
    """What is remembered of its verdicts; with no key, the cache can't be."""
    if given is None and not said.cache:
        return None
    found = given or HookCache()
    declared: dict[str, object] = {
        "key": said.cache or None,
        "ttl": None if said.ttl is None else timedelta(seconds=said.ttl),
        "entries": said.entries,
    }
    silent = declared.keys() - found.model_fields_set
    return found.model_copy(update={key: declared[key] for key in silent if declared[key]})


def _python(hook: Hook, said: Declared) -> dict[str, object]:
    python: dict[str, object] = {
        "phase": said.phase,
        "headers": list(said.headers),
        "body_bytes": hook.body,
        "concurrency": hook.concurrency,
        "max_pending": hook.max_pending,
    }
    if (cache := hook.cache) is not None:
        key = [part.lower() for part in cache.key]
        python["cache"] = {"key": key, "ttl_ms": _ms(cache.ttl), "entries": cache.entries}
    return python


def _ms(time: timedelta) -> int:
    # A declared time that is shorter is no time at all.
    return max(1, time // _MILLISECOND)
