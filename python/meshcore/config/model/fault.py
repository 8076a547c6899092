"""Delays and failures on purpose."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictInt

from meshcore.config.model.base import Part
from meshcore.config.model.match import Condition, HeaderName, OneOf
from meshcore.config.model.units import Duration, Percentage

GrpcStatus = Literal[
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
]


class Delay(OneOf):
    """How long requests wait: `fixed` or `exponential`, above 0s and up to 1h."""

    beside: ClassVar[frozenset[str]] = frozenset({"percentage"})

    fixed: Duration | None = None
    """Always so long."""
    exponential: Duration | None = None
    """Distributed exponentially with this mean; never more than ten times it."""
    percentage: Percentage = 100
    """How many requests."""


class Abort(OneOf):
    """What requests are refused with: `status` or `grpc_status`."""

    beside: ClassVar[frozenset[str]] = frozenset({"percentage"})

    status: Annotated[StrictInt, Field(ge=200, le=599)] | None = None
    """A status of HTTP; gRPC clients read the status that stands for it."""
    grpc_status: GrpcStatus | None = None
    """A status of gRPC by its name; other clients read the status that stands for it."""
    percentage: Percentage = 100
    """How many requests."""


class Fault(Part):
    """What a route does to its requests to try how callers bear it."""

    delay: Delay | None = None
    """Makes requests wait."""
    abort: Abort | None = None
    """Refuses requests, after the delay where both are chosen."""
    headers: dict[HeaderName, Condition] = Field(default_factory=dict)
    """Header name to condition; only requests that meet all are concerned."""
