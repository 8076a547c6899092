"""What is sound of a refused document, so that one run finds the problems of every kind.

Parts with an error are left out whole, never mended: a mended part could give rise to problems that
the user's document doesn't have.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import ValidationError

from meshcore.config.model import Config

if TYPE_CHECKING:
    from meshcore.config.origin import Loc
    from meshcore.config.sources.text import Value

# What can be left out without a change in the meaning of what stays.
_LISTS = frozenset({"listeners", "clusters", "routes", "endpoints", "hooks"})


@dataclass(slots=True)
class Kept:
    """Which items of which list are left, to find the way back to the user's document."""

    lists: dict[Loc, list[int]] = field(default_factory=dict)
    mappings: set[Loc] = field(default_factory=set)
    """Those that have lost a key."""

    def lost(self, loc: Loc) -> bool:
        """Whether something below this place of the document was left out."""
        return loc in self.mappings or any(at[: len(loc)] == loc for at in self.lists)

    def back(self, loc: Loc) -> Loc:
        """A place in what is left, as a place in the document."""
        found: Loc = ()
        for step in loc:
            kept = self.lists.get(found)
            found = (*found, kept[step] if kept is not None and isinstance(step, int) else step)
        return found


def salvage(value: dict[str, Value], error: ValidationError) -> tuple[Config | None, Kept]:
    """The configuration without the parts that `error` names; None when nothing is left."""
    bad = {_cut(detail["loc"], detail["type"]) for detail in error.errors(include_url=False)}
    kept = Kept()
    try:
        return Config.model_validate(_without(value, bad, (), kept)), kept
    except ValidationError:
        return None, kept


def _cut(loc: Loc, kind: str) -> Loc:
    """The smallest part around `loc` that can be left out."""
    if kind == "extra_forbidden":
        return loc
    for end in range(len(loc) - 1, 0, -1):
        if isinstance(loc[end], int) and loc[end - 1] in _LISTS:
            return loc[: end + 1]
    return loc[:1]


def _without(value: Value, bad: set[Loc], loc: Loc, kept: Kept) -> Value:
    if not any(cut[: len(loc)] == loc for cut in bad):
        return value
    if isinstance(value, dict):
        if any((*loc, key) in bad for key in value):
            kept.mappings.add(loc)
        items = ((key, part, (*loc, key)) for key, part in value.items())
        return {key: _without(part, bad, at, kept) for key, part, at in items if at not in bad}
    if isinstance(value, list):
        left = [index for index in range(len(value)) if (*loc, index) not in bad]
        kept.lists[loc] = left
        return [_without(value[index], bad, (*loc, index), kept) for index in left]
    return value
