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
