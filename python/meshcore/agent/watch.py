"""Notices that watched files changed: by looking, once a second.

Looking works on every file system and through every way of replacing a file (written in place,
renamed over, a symbolic link moved), which inotify does not.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

INTERVAL = 1.0
# A writer that is at work is let finish: two looks this far apart must agree …
_SETTLE = 0.1
# … but one that writes for ever doesn't hold a reload up.
_SETTLE_LOOKS = 20

Seen = tuple[tuple[int, int, int] | None, ...]


def look(paths: Iterable[str]) -> Seen:
    """What tells one content of these files from another."""
    return tuple(_look(path) for path in paths)


def _look(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


async def watch(
    paths: Callable[[], list[str]],
    changed: Callable[[], Awaitable[None]],
    beat: Callable[[], None] = lambda: None,
) -> None:
    """Call `changed` after each change of a file, for ever; `beat` at each look."""
    watched = paths()
    seen = look(watched)
    while True:
        await trio.sleep(INTERVAL)
        beat()
        if watched != paths():
            watched = paths()
            seen = look(watched)
            continue
        now = look(watched)
        if now != seen:
            seen = await _settled(watched, now)
            await changed()


async def _settled(paths: list[str], seen: Seen) -> Seen:
    for _ in range(_SETTLE_LOOKS):
        await trio.sleep(_SETTLE)
        now = look(paths)
        if now == seen:
            break
        seen = now
    return seen
