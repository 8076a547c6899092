"""Notices that watched files changed: by looking, once a second.

Looking works on every file system and through every way of replacing a file (written in place,
renamed over, a symbolic link moved), which inotify does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from meshcore.stamp import look

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from meshcore.stamp import Stamps

INTERVAL = 1.0
# A writer that is at work is let finish: two looks this far apart must agree …
_SETTLE = 0.1
# … but one that writes for ever doesn't hold a reload up.
_SETTLE_LOOKS = 20


async def watch(
    paths: Callable[[], Stamps],
    changed: Callable[[], Awaitable[None]],
    beat: Callable[[], None] = lambda: None,
) -> None:
    """Call `changed` after each change of a file, for ever; `beat` at each look.

    `paths` gives the files as they were when they were read, another object after each reading:
    what changes between that and the next look is noticed too.
    """
    watched = paths()
    seen = watched
    while True:
        await trio.sleep(INTERVAL)
        beat()
        if watched is not paths():
            watched = paths()
            seen = watched
        now = look(watched)
        if now != seen:
            seen = await _settled(now)
            await changed()


async def _settled(seen: Stamps) -> Stamps:
    for _ in range(_SETTLE_LOOKS):
        await trio.sleep(_SETTLE)
        now = look(seen)
        if now == seen:
            break
        seen = now
    return seen
