"""What must hold between hooks and who uses them, as far as the document alone can say it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from meshcore.config.check import did_you_mean
from meshcore.config.origin import Trouble

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from meshcore.config.model import Config, Hook, HookUse
    from meshcore.config.origin import Loc

_SHORTEST = timedelta(milliseconds=1)
_LONGEST = timedelta(seconds=60)

_OF_FUNCTIONS = ("concurrency", "max_pending", "body", "cache")


def check_hooks(config: Config, names: Collection[str] = ()) -> Iterator[Trouble]:
    """All that is wrong with them.

    Args:
        config: What to check.
        names: Hooks that exist besides those of `config`.
    """
    seen: dict[str, int] = {}
    for index, hook in enumerate(config.hooks):
        loc = ("hooks", index)
        if (first := seen.setdefault(hook.name, index)) != index:
            message = f"{hook.name!r} is already the name of hooks[{first}]"
            yield Trouble((*loc, "name"), "duplicate_name", message, "names are single")
        yield from _hook(hook, loc)
    known = {*seen, *names}
    for at, uses in places(config):
        yield from _uses(uses, at, known)


def places(config: Config) -> Iterator[tuple[Loc, tuple[HookUse, ...]]]:
    """Where hooks are used, and which."""
    for index, listener in enumerate(config.listeners):
        if listener.hooks:
            yield ("listeners", index, "hooks"), listener.hooks
        for number, route in enumerate(listener.routes):
            if route.hooks:
                yield ("listeners", index, "routes", number, "hooks"), route.hooks


def _hook(hook: Hook, loc: Loc) -> Iterator[Trouble]:
    wrong, kind = (("config",), "a function") if hook.python else (_OF_FUNCTIONS, "native code")
    for key in wrong:
        if key in hook.model_fields_set:
            message = f"a hook that is {kind} has no {key!r}"
            yield Trouble((*loc, key), "key_not_allowed", message, "leave it out", at_key=True)
    if hook.timeout is not None and not _SHORTEST <= hook.timeout <= _LONGEST:
        message = "that is no time to wait for a verdict"
        yield Trouble((*loc, "timeout"), "invalid_duration", message, "from 1ms to 60s")
    if hook.cache is not None and not hook.cache.ttl:
        message = "a verdict that holds no time is not remembered"
        hint = "write for example ttl: 30s, or leave the cache out"
        yield Trouble((*loc, "cache", "ttl"), "invalid_duration", message, hint)
    try:
        config_text(hook)
    except (TypeError, ValueError) as error:
        message = f"the config has no form in JSON: {error}"
        yield Trouble((*loc, "config"), "invalid_value", message, "write texts, numbers, mappings")


def _uses(uses: tuple[HookUse, ...], loc: Loc, known: Collection[str]) -> Iterator[Trouble]:
    seen: dict[str, int] = {}
    for index, use in enumerate(uses):
        if use.name not in known:
            hint = did_you_mean(use.name, known) or "name it under hooks"
            yield Trouble((*loc, index), "unknown_hook", f"there is no hook {use.name!r}", hint)
        elif (first := seen.setdefault(use.name, index)) != index:
            message = f"{use.name!r} is asked already, as [{first}]"
            yield Trouble((*loc, index), "duplicate_name", message, "name it once")


def config_text(hook: Hook) -> str:
    """What native code is created with.

    Raises:
        TypeError: Something in it has no form in JSON.
        ValueError: The same.
    """
    if "config" not in hook.model_fields_set:
        return ""
    if isinstance(hook.config, str):
        return hook.config
    return json.dumps(hook.config, ensure_ascii=False, allow_nan=False)
