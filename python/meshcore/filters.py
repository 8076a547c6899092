"""Native filters: found by the name of an entry point or in a library, and given to the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore import extension
from meshcore.errors import HookError

if TYPE_CHECKING:
    from collections.abc import Iterable

GROUP = "meshcore.filters"

# Those that the engine knows: it never forgets one.
_known: set[str] = set()


def adopt(keys: Iterable[str]) -> None:
    """Have the engine know filters, in this process and as long as it lives.

    Args:
        keys: Names of entry points in the group `meshcore.filters`, and absolute paths of
            libraries; one that is known is fine.

    Raises:
        HookError: There is none, or the engine refuses it.
    """
    for key in keys:
        if key in _known:
            continue
        try:
            if key.startswith("/"):
                extension.load_library(key)
            else:
                extension.adopt_filter(key, _capsule(key))
        except (OSError, TypeError, ValueError) as error:
            raise HookError(key, str(error)) from None
        _known.add(key)


def installed() -> list[str]:
    """The names of the entry points that there are."""
    # Costs a proxy without filters nothing.
    from importlib.metadata import entry_points

    return sorted(set(entry_points(group=GROUP).names))


def _capsule(name: str) -> object:
    from importlib.metadata import entry_points

    found = list(entry_points(group=GROUP, name=name))
    if not found:
        known = ", ".join(installed()) or "none"
        raise HookError(name, f"no installed package has the filter {name}; there is: {known}")
    try:
        return found[0].load()()
    except Exception as error:
        reason = f"{found[0].value} can't be had: {type(error).__name__}: {error}"
        raise HookError(name, reason) from error
