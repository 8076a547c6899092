"""Native filters: found by the name of an entry point or in a library, and given to the engine."""

from __future__ import annotations

from pathlib import PurePath

from meshcore import extension
from meshcore.errors import HookError

GROUP = "meshcore.filters"

# A filter's functions stand in its module, which must stay.
_kept: list[object] = []


def adopt(key: str) -> None:
    """Have the engine know a filter; of no effect when it does already.

    Args:
        key: The name of an entry point in the group `meshcore.filters`, or a library's absolute
            path.

    Raises:
        HookError: There is none, or the engine refuses it.
    """
    try:
        if PurePath(key).is_absolute():
            extension.load_library(key)
        else:
            _adopt_entry_point(key)
    except (OSError, TypeError, ValueError) as error:
        raise HookError(key, str(error)) from error


def installed() -> list[str]:
    """The names of the entry points that there are."""
    from importlib.metadata import entry_points

    return sorted(entry_points(group=GROUP).names)


def _adopt_entry_point(name: str) -> None:
    from importlib.metadata import entry_points

    found = list(entry_points(group=GROUP, name=name))
    if not found:
        known = ", ".join(installed()) or "none"
        reason = f"no installed package has the filter {name}; there is: {known}"
        raise HookError(name, reason)
    try:
        made = found[0].load()
        capsule = made()
    except Exception as error:
        reason = f"{found[0].value} can't be loaded: {type(error).__name__}: {error}"
        raise HookError(name, reason) from error
    extension.adopt_filter(name, capsule)
    _kept.append((made, capsule))
