"""Documents as text: reading them, and plain values out of YAML or JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

Value: TypeAlias = "dict[str, Value] | list[Value] | str | int | float | bool | None"
"""What a document holds."""

# A document of 10,000 hosts is 2 MiB; this only keeps a wrong file name from filling the memory.
MAX_BYTES = 64 << 20

STDIN = "/dev/stdin"


class SourceError(Exception):
    """A document that can't be read, at a line and column counted from 1."""

    def __init__(self, code: str, message: str, line: int, column: int, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint
        self.line, self.column = line, column


@dataclass(frozen=True, slots=True)
class Document:
    """One file of a configuration."""

    name: str
    """As the user named it."""
    text: str
    """All of it."""

    @property
    def is_json(self) -> bool:
        """JSON by its name; read without YAML's cost."""
        return self.name.endswith(".json")


def read(path: str) -> Document:
    """Read one document; `/dev/stdin` is read once, so that it may be a pipe.

    Raises:
        SourceError: It can't be read, is too large, or isn't UTF-8.
    """
    try:
        if path == STDIN:
            return Document("<stdin>", _decode(sys.stdin.buffer.read(MAX_BYTES + 1)))
        with Path(path).open("rb") as file:
            return Document(path, _decode(file.read(MAX_BYTES + 1)))
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        raise SourceError("unreadable", f"cannot be read: {words}", 1, 1) from None


def _decode(raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        raise SourceError("too_large", f"larger than {MAX_BYTES >> 20} MiB", 1, 1)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        column = len(before) - before.rfind(b"\n")
        raise SourceError("not_utf8", "not UTF-8", line, column, "save it as UTF-8") from None


class _Duplicate(Exception):
    """A JSON object has a key twice; YAML's nodes then say where."""


def _object(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Duplicate
    return made


def json_value(text: str) -> tuple[Value, bool]:
    """The value of a JSON text, and whether all its keys are single.

    Raises:
        SourceError: It isn't JSON.
    """
    try:
        value: Value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except _Duplicate:
        return None, False
    except json.JSONDecodeError as error:
        message = f"not valid JSON: {error.msg.lower()}"
        raise SourceError("invalid_json", message, error.lineno, error.colno) from None
    except (ValueError, RecursionError) as error:
        raise SourceError("invalid_json", f"not valid JSON: {error}", 1, 1) from None
    return value, True


def _no_constant(name: str) -> Value:
    message = f"{name} is not JSON"
    raise ValueError(message)
