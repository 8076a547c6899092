"""Which function stands behind a hook; nothing else, since configurations carry it."""

from __future__ import annotations

from typing import NamedTuple

# Calls at once, unless the document or the function says otherwise.
CONCURRENCY = 64


class PythonHook(NamedTuple):
    """A hook that is a Python function."""

    ref: str
    """`module:function`; empty for a function that is given to the engine itself."""
    folder: str = ""
    """Where the module is searched last; empty: only where Python searches."""
    concurrency: int = CONCURRENCY
    """Calls at once."""
