"""Finds the native filters that hooks need: entry points of installed packages, and libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore import extension
from meshcore.errors import HookError

if TYPE_CHECKING:
    from collections.abc import Iterable

GROUP = "meshcore.filters"


def adopt(keys: Iterable[str]) -> None:
    """Make filters known to the engine, in this process and for as long as it lives.

    Args:
        keys: Names of entry points, and absolute paths of libraries; one that is known is fine.

    Raises:
        HookError: One can't be had.
    """
    for key in keys:
        try:
            if key.startswith("/"):
                extension.load_library(key)
            else:
                extension.adopt_filter(key, _entry_point(key))
        except (OSError, TypeError, ValueError) as error:
            raise HookError(key, str(error)) from None


def _entry_point(name: str) -> object:
    # Costs a proxy without such filters nothing.
    from importlib.metadata import entry_points

    found = list(entry_points(group=GROUP, name=name))
    if not found:
        known = ", ".join(sorted(set(entry_points(group=GROUP).names))) or "none"
        raise HookError(name, f"no installed package has a filter of that name; there are: {known}")
    try:
        return found[0].load()
    except Exception as error:
        reason = f"its entry point {found[0].value} can't be loaded: {error}"
        raise HookError(name, reason) from error
