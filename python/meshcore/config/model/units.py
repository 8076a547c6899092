"""The scalars of the native document: durations, sizes, names and addresses."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    StrictFloat,
    StrictInt,
    StrictStr,
)
from pydantic_core import PydanticCustomError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@*|-]{0,299}")
_DURATION = re.compile(r"(?:\d+(?:ms|s|m|h|d))+")
_DURATION_PART = re.compile(r"(\d+)(ms|s|m|h|d)")
_MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
# Ten years: anything longer is a slip, and it fits every timer of the engine.
_LONGEST_MS = 10 * 365 * 86_400_000

_SIZE = re.compile(r"(\d+)(B|KiB|MiB|GiB|TiB|KB|kB|MB|GB|TB)")
_BYTES = {
    "B": 1,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
    "KB": 10**3,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
}
_LARGEST_SIZE = 1 << 50
_HIGHEST_PORT = 65_535


def refused(code: str, message: str, hint: str = "") -> PydanticCustomError:
    """An error whose code, words and hint reach the user as they are."""
    # Braces would be taken for a template by pydantic.
    return PydanticCustomError(code, "{message}", {"message": message, "hint": hint})


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        milliseconds = value // timedelta(milliseconds=1)
    elif isinstance(value, str) and _DURATION.fullmatch(value):
        parts = _DURATION_PART.findall(value)
        milliseconds = sum(int(number) * _MILLISECONDS[unit] for number, unit in parts)
    elif isinstance(value, int) and not isinstance(value, bool):
        raise refused("invalid_duration", f"the duration {value} has no unit", f"write {value}s")
    else:
        shown = repr(value) if isinstance(value, str) else "that"
        message = f"{shown} is not a duration"
        raise refused("invalid_duration", message, "write for example 500ms, 5s, 1m30s or 1h")
    if not 0 <= milliseconds <= _LONGEST_MS:
        raise refused("invalid_duration", f"{value} is out of range", "from 0s to 3650d")
    return timedelta(milliseconds=milliseconds)


def duration_text(value: timedelta) -> str:
    """The shortest single-unit form: ``90s``, ``5m``, ``0s``."""
    milliseconds = value // timedelta(milliseconds=1)
    if milliseconds == 0:
        return "0s"
    for unit in ("d", "h", "m", "s"):
        if milliseconds % _MILLISECONDS[unit] == 0:
            return f"{milliseconds // _MILLISECONDS[unit]}{unit}"
    return f"{milliseconds}ms"


def _size(value: object) -> object:
    if isinstance(value, str) and (match := _SIZE.fullmatch(value)):
        size = int(match[1]) * _BYTES[match[2]]
    elif isinstance(value, int) and not isinstance(value, bool):
        size = value
    else:
        shown = repr(value) if isinstance(value, str) else "that"
        hint = "write for example 64KiB, 10MB, or a number of bytes"
        raise refused("invalid_size", f"{shown} is not a size", hint)
    if not 0 <= size <= _LARGEST_SIZE:
        raise refused("invalid_size", f"{value} is out of range", "from 0 to 1024TiB")
    return size


def _address(value: str) -> str:
    if "://" in value:
        hint = f"leave the scheme out: {value.split('://', 1)[1]}"
        raise refused("invalid_address", f"{value!r} is a URL, not an address", hint)
    if value.startswith("unix:"):
        if not value.startswith("unix:/"):
            hint = f"write unix:/path/to/{value[5:] or 'socket'}"
            raise refused("invalid_address", "a unix socket needs an absolute path", hint)
        return value
    host, colon, port = value.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        hint = f"[{value}]:8080" if ":" in value else f"{value}:8080"
        raise refused("invalid_address", f"{value!r} has no port", f"write for example {hint}")
    if not (port.isascii() and port.isdigit() and int(port) <= _HIGHEST_PORT):
        raise refused("invalid_address", f"{port!r} is not a port", "a number from 0 to 65535")
    if not host:
        hint = f"write 127.0.0.1:{port}, or 0.0.0.0:{port} for every interface"
        raise refused("invalid_address", f"{value!r} has no host", hint)
    return value


def _listen_address(value: str) -> str:
    value = _address(value)
    if value.startswith("unix:"):
        return value
    host, _, port = value.rpartition(":")
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        at = "0.0.0.0" if host == "*" else "127.0.0.1"
        hint = f"write for example {at}:{port} or unix:/path"
        message = f"{host!r} is not an IP address"
        raise refused("invalid_address", message, hint) from None
    return value


def _endpoint_address(value: str) -> str:
    value = _address(value)
    if value.endswith(":0"):
        raise refused("invalid_address", "port 0 can't be connected to", "name the server's port")
    return value


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        hint = "letters, digits and . _ : / @ * | -, beginning with a letter or digit, at most 300"
        raise refused("invalid_name", f"{value!r} is not a name", hint)
    return value


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration, json_schema_input_type=str),
    PlainSerializer(duration_text, return_type=str),
    Field(json_schema_extra={"examples": ["500ms", "5s", "1m30s"]}),
]
"""A time: `500ms`, `5s`, `1m30s`, `1h`."""

Size = Annotated[
    int,
    BeforeValidator(_size, json_schema_input_type=int | str),
    Field(json_schema_extra={"examples": ["64KiB", 65536]}),
]
"""Bytes: `64KiB`, `10MB` or a plain number."""

Count = Annotated[StrictInt, Field(ge=0, le=0xFFFF_FFFF)]
"""A whole number from 0 up."""

Percent = Annotated[StrictInt, Field(ge=0, le=100)]
"""A whole percentage."""

Percentage = Annotated[StrictInt | StrictFloat, Field(ge=0, le=100)]
"""A share from 0 to 100."""

Weight = Annotated[StrictInt, Field(ge=0, le=0xFFFF)]
"""A relative share, up to 65535."""

Name = Annotated[StrictStr, AfterValidator(_name)]
"""What a thing is called: letters, digits and `. _ : / @ * | -`."""

ListenAddress = Annotated[StrictStr, AfterValidator(_listen_address)]
"""`127.0.0.1:8080`, `[::]:8080` or `unix:/path`."""

EndpointAddress = Annotated[StrictStr, AfterValidator(_endpoint_address)]
"""`127.0.0.1:9001`, `[::1]:9001`, `host.name:9001` or `unix:/path`."""
