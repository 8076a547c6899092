"""What is done for an answer beyond asking one endpoint once."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt

from meshcore.config.model.base import Part
from meshcore.config.model.match import Condition, HeaderName
from meshcore.config.model.units import Count, Duration, Percentage, Size

RetryOn = Literal[
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "envoy-ratelimited",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
]


class BackOff(Part):
    """Random waits before retries, from nothing up to a bound that grows."""

    base: Duration = timedelta(milliseconds=25)
    """The first bound; the next are 3, 7, 15 times it."""
    max: Duration | None = None
    """No bound is above this; left out, ten times `base`."""


class Retries(Part):
    """Which failures are tried again, of what may be repeated."""

    attempts: Annotated[StrictInt, Field(ge=0, le=100)] = 2
    """How often at most, beside the first attempt."""
    per_try_timeout: Duration = timedelta(0)
    """An attempt has to be answered within this, from the request's last byte on; as long may the
    connect take. `0s` is off."""
    retry_on: tuple[RetryOn, ...] = (
        "connect-failure",
        "refused-stream",
        "unavailable",
        "cancelled",
    )
    """What counts as a failure, in Envoy's words."""
    retriable_status_codes: tuple[Annotated[StrictInt, Field(ge=200, le=599)], ...] = ()
    """For `retriable-status-codes`."""
    retriable_headers: dict[HeaderName, Condition] = Field(default_factory=dict)
    """For `retriable-headers`: header name to condition on an answer; any of them."""
    non_idempotent: StrictBool = False
    """Whether requests that were perhaps processed may be repeated whatever their method; left out,
    only those with an idempotent method or an `Idempotency-Key`."""
    back_off: BackOff = BackOff.empty()
    """Waits before retries."""
    other_hosts: StrictBool = True
    """Whether endpoints that the request hasn't tried come first."""
    body_bytes: Size = 1 << 20
    """Bodies are kept up to so much, at most 64MiB; requests with longer ones are not retried."""


class Hedge(Part):
    """A second attempt beside the first, of what may be repeated; who answers first wins."""

    delay: Duration = timedelta(milliseconds=50)
    """It begins when no answer has come for so long."""


class RetryBudget(Part):
    """How many of a cluster's requests in flight may be retries, over all workers."""

    percent: Percentage = 20
    """A share of the requests in flight."""
    min_concurrency: Count = 3
    """So many always."""
