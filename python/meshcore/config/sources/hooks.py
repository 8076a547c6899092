"""What hooks need beside the document: their functions are imported, their filters adopted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshcore.config.check import did_you_mean
from meshcore.config.hook_resources import effective, filter_key
from meshcore.config.origin import Trouble
from meshcore.errors import HookError
from meshcore.stamp import look

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshcore.config.model import Config, Hook
    from meshcore.config.origin import Loc
    from meshcore.hooks.api import Declared
    from meshcore.stamp import Stamps


@dataclass(frozen=True, slots=True)
class Hooks:
    """What was found."""

    declared: dict[str, Declared] = field(default_factory=dict)
    """What functions declare, by the names of their hooks."""
    broken: set[str] = field(default_factory=set)
    """The hooks that can't be used."""
    stamps: Stamps = field(default_factory=dict)
    """Every file of the functions' modules as it was, to watch."""


def read_hooks(
    config: Config, given: Mapping[str, Declared] | None = None
) -> tuple[Hooks, list[Trouble]]:
    """Import every function and adopt every filter that `config` names.

    Args:
        config: The configuration.
        given: Functions that the embedding program has itself, by the names of their hooks.
    """
    found, troubles = Hooks(declared=dict(given or {})), list[Trouble]()
    for index, hook in enumerate(config.hooks):
        loc = ("hooks", index)
        try:
            if hook.python is None:
                _adopt(hook, config)
            else:
                said = found.declared.get(hook.name) or _declared(hook.python, config, found)
                if (trouble := _keyless(effective(hook, said), loc)) is None:
                    found.declared[hook.name] = said
                    continue
                troubles.append(trouble)
                found.broken.add(hook.name)
        except HookError as error:
            if error.file:
                found.stamps.update(look([error.file]))
            troubles.append(_trouble(error, hook, loc))
            found.broken.add(hook.name)
    return found, troubles


def _adopt(hook: Hook, config: Config) -> None:
    from meshcore import filters  # with the engine, which who has no filter needs not here

    filters.adopt([filter_key(hook, config.origin.base)])


def _declared(ref: str, config: Config, found: Hooks) -> Declared:
    from meshcore.hooks.loading import load, split

    module, name = split(ref)
    loaded = load(module, config.origin.base)
    found.stamps.update(look(loaded.files))
    return loaded.function(name).declared


def _keyless(hook: Hook, loc: Loc) -> Trouble | None:
    if hook.cache is None or hook.cache.key:
        return None
    message = "neither the document nor the function says what a verdict depends on"
    hint = "write for example key: [header.authorization]"
    return Trouble((*loc, "cache"), "missing_key", message, hint)


def _trouble(error: HookError, hook: Hook, loc: Loc) -> Trouble:
    if hook.python is not None:
        place = f" ({error.file}:{error.line})" if error.file else ""
        message = f"{error.hook}: {error.reason}{place}"
        return Trouble((*loc, "python"), "hook_unusable", message)
    if hook.native is not None:
        return Trouble((*loc, "native"), "hook_unusable", error.reason)
    from meshcore.filters import installed

    hint = did_you_mean(hook.filter or "", installed())
    return Trouble((*loc, "filter"), "hook_unusable", error.reason, hint)
