"""The scalars of Istio's documents: durations, percentages, ports and text matches."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field, StrictFloat, StrictInt, StrictStr

from meshcore.config.model.units import refused

_DURATION = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h)")
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_MILLISECOND = 10**6
# Ten years: the longest that the native document takes.
_LONGEST = 10 * 365 * 24 * 3600 * 10**9


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise refused("invalid_duration", f"the duration {value} has no unit", f"write {value}s")
    if not isinstance(value, str) or not re.fullmatch(rf"(?:{_DURATION.pattern})+|0", value):
        shown = repr(value) if isinstance(value, str) else "that"
        hint = "write for example 500ms, 1.5s or 1h30m"
        raise refused("invalid_duration", f"{shown} is not a duration", hint)
    exact = sum(_nanoseconds(number) * _NANOSECONDS[unit] for number, unit in _PART.findall(value))
    nanoseconds = round(exact)
    if nanoseconds % _MILLISECOND:
        hint = "1ms is the smallest step"
        raise refused("invalid_duration", f"{value} is no whole number of milliseconds", hint)
    if nanoseconds > _LONGEST:
        raise refused("invalid_duration", f"{value} is out of range", "up to 87600h")
    return timedelta(milliseconds=nanoseconds // _MILLISECOND)


def _nanoseconds(number: str) -> float | int:
    return int(number) if number.isdigit() else float(number)


def milliseconds(value: timedelta) -> str:
    """As the native document writes it."""
    return f"{value // timedelta(milliseconds=1)}ms"


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration, json_schema_input_type=str),
    Field(json_schema_extra={"examples": ["500ms", "1.5s", "1h"]}),
]
"""Go's notation, in whole milliseconds."""

Integer = Annotated[StrictInt, Field(ge=0, le=0xFFFF_FFFF)]
"""A uint32."""

PortNumber = Annotated[StrictInt, Field(ge=1, le=65_535)]
"""A port."""

Number = StrictInt | StrictFloat
"""A double."""

Labels = dict[StrictStr, StrictStr]
"""Label to value."""
