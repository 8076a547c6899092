"""What tells one content of a file from another without reading it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Stamp = tuple[int, int, int]
"""Time of the last change in ns, size in bytes, inode."""

Stamps = dict[str, Stamp | None]
"""By path; None where there is no such file."""


def stamp(file: str | int) -> Stamp | None:
    """The stamp of a path or an open file; None where there is none."""
    try:
        found = os.stat(file)
    except (OSError, ValueError):  # a NUL in the name
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def look(paths: Iterable[str]) -> Stamps:
    """The stamps of these files now."""
    return {path: stamp(path) for path in paths}
