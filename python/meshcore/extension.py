"""What the extension tells and checks without a running engine.

Imports no trio: a command that only reads a document starts sooner without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore import _engine

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION = _engine.version
FEATURES = _engine.features


def check(delta: bytes, credentials: Sequence[tuple[str, bytes, bytes | None]]) -> bytes:
    """Compile a complete configuration without installing it.

    Args:
        delta: Every resource, as JSON.
        credentials: (name, certificates as PEM, key as PEM or None for trust anchors).

    Returns:
        The problems as JSON: a list of objects with code, kind, name, path, message and hint.
    """
    return _engine.check(delta, credentials)


def explain(
    delta: bytes, credentials: Sequence[tuple[str, bytes, bytes | None]], questions: bytes
) -> bytes:
    """Ask a complete configuration, which isn't installed, what becomes of requests.

    Args:
        delta: Every resource, as JSON.
        credentials: As for `check`.
        questions: A list of {"listener", "head", "tls", "identity"} as JSON.

    Returns:
        {"answers": […]} as JSON, or {"problems": […]}.

    Raises:
        ValueError: The questions have another form.
    """
    return _engine.explain(delta, credentials, questions)


def adopt_filter(name: str, capsule: object) -> None:
    """Take a native filter for hooks; the same one again is fine.

    Args:
        name: Its entry point's name, and the one in its table.
        capsule: What the entry point gave, named `meshcore.filter.v1`. It is kept for ever; the
            caller keeps its module.

    Raises:
        TypeError: It is no capsule.
        ValueError: Its name, version, size or functions are wrong, or another filter has the name.
    """
    _engine.adopt_filter(name, capsule)


def load_library(path: str) -> None:
    """Load a shared library and take its native filter, under its path; it is never unloaded.

    Args:
        path: An absolute one. The library exports `meshcore_filter_v1`.

    Raises:
        OSError: It can't be loaded.
        ValueError: The path isn't absolute, the function is missing, or its filter doesn't fit.
    """
    _engine.load_library(path)
