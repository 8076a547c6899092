"""Delays, resets and narrow lines on purpose, for connections that pass as bytes."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from meshcore.config.model.base import Part
from meshcore.config.model.units import Duration, Percentage, Size


class TcpDelay(Part):
    """A wait before an upstream is connected to."""

    fixed: Duration
    """Always so long, above 0s and up to 1h."""
    percentage: Percentage = 100
    """How many connections."""


class TcpReset(Part):
    """An end by a reset of both sides."""

    after: Duration = timedelta(0)
    """How long after the connection is taken up, up to 1h; `0s`: before an upstream is connected
    to."""
    percentage: Percentage = 100
    """How many connections."""


class Bandwidth(Part):
    """A narrow line."""

    bytes_per_second: Annotated[Size, Field(ge=1)]
    """How much passes, in each direction."""
    percentage: Percentage = 100
    """How many connections."""


class TcpFault(Part):
    """What a listener does to TCP connections to try how callers bear it, each by itself."""

    delay: TcpDelay | None = None
    """Makes connections wait before an upstream is connected to."""
    reset: TcpReset | None = None
    """Ends connections with a reset."""
    bandwidth: Bandwidth | None = None
    """Makes connections slow."""
