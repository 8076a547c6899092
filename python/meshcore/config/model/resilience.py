"""What keeps a failing upstream from taking its callers along."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictBool, StrictInt

from meshcore.config.model.base import Part
from meshcore.config.model.units import Count, Duration, Percent, refused


def _above_zero(value: timedelta) -> timedelta:
    if not value:
        raise refused("invalid_duration", "0s is no time", "write a duration above 0s")
    return value


Time = Annotated[Duration, AfterValidator(_above_zero)]
"""A duration above 0s."""

Status = Annotated[StrictInt, Field(ge=100, le=599)]
"""A status of HTTP."""

_WINDOW_MIN = timedelta(milliseconds=100)


def _window(value: timedelta) -> timedelta:
    if value < _WINDOW_MIN:
        raise refused("invalid_duration", "a window is 100ms at least", "write for example 10s")
    return value


class Limits(Part):
    """How much of a cluster may be in use at once, over all workers; 0 is off."""

    max_connections: Count = 0
    """Connections. A request of HTTP/1, or a TCP connection, for which there is none waits for one,
    `timeouts.connect` at the longest; one of HTTP/2 is answered 503."""
    max_pending_requests: Count = 1_024
    """Requests that wait for a connection: for one to be made, or for a free one. Beyond it:
    503."""
    max_requests: Count = 0
    """Requests that endpoints work on; for TCP: connections. Beyond it: 503."""
    max_retries: Count = 0
    """Requests that are retries, beside the retry budget."""


class EndpointLimits(Part):
    """How much of one endpoint may be in use at once, over all workers; 0 is off."""

    max_requests: Count = 0
    """Requests that it works on; for TCP: connections. Others are picked instead; where all have as
    many: 503."""
    max_connections: Count = 0
    """Connections; where `pool.max_connections` is there too, the lower counts."""


class Breaker(Part):
    """When requests are kept away from what fails, and when they are let through again."""

    window: Annotated[Duration, AfterValidator(_window)] = timedelta(seconds=10)
    """How long outcomes count; 100ms at least."""
    failure_rate: Annotated[StrictInt, Field(ge=1, le=100)] = 50
    """The circuit opens where so many percent of the outcomes in the window are failures,"""
    minimum_requests: Count = 20
    """among so many at least."""
    open_for: Time = timedelta(seconds=1)
    """From an opening to the first probes; doubles each time they fail, and is up to a quarter
    shorter by chance."""
    max_open_for: Time = timedelta(seconds=60)
    """No wait is longer."""
    probes: Annotated[StrictInt, Field(ge=1, le=1_000)] = 3
    """So many real requests are let through then to see how they end."""
    success_rate: Percent = 80
    """The circuit closes where so many percent of them succeed."""
    scope: Literal["endpoint", "cluster", "both"] = "endpoint"
    """What has a circuit: each endpoint (others take its requests), the cluster (503
    `circuit_open`), or both."""


class OutlierDetection(Part):
    """When an endpoint is left out for a while, as Envoy defines it; a count of 0 is off."""

    consecutive_5xx: Count = 5
    """So many failures in a row: statuses from 500 up, and whatever kept an answer from coming."""
    consecutive_gateway_failure: Count = 0
    """So many of 502, 503, 504 and whatever kept an answer from coming."""
    split_external_local_origin_errors: StrictBool = False
    """Whether connects, resets and time-outs are told from answers, and count in a row of their
    own."""
    consecutive_local_origin_failure: Count = 5
    """So many of them, where they are told apart."""
    interval: Time = timedelta(seconds=10)
    """Rates are compared and ejections ended so often."""
    base_ejection_time: Duration = timedelta(seconds=30)
    """The first ejection lasts so long at least, the next twice as long, and so on."""
    max_ejection_time: Duration = timedelta(seconds=300)
    """No ejection is longer."""
    max_ejection_percent: Percent = 10
    """No more than so many percent of the endpoints are left out at once, but one at least; 0:
    none."""
    enforcing_consecutive_5xx: Percent = 100
    """So many percent of detections eject; 0: they are counted only."""
    enforcing_consecutive_gateway_failure: Percent = 100
    """The same of gateway failures."""
    enforcing_consecutive_local_origin_failure: Percent = 100
    """The same of failures on the way."""
    enforcing_success_rate: Percent = 0
    """The same of the success rate; 0 is off."""
    success_rate_minimum_hosts: Count = 5
    """Endpoints with enough requests, below which success rates aren't compared."""
    success_rate_request_volume: Count = 100
    """Enough requests within an interval."""
    success_rate_stdev_factor: Count = 1_900
    """Whose success rate is below the mean by so many thousandths of the standard deviation is
    ejected."""
    enforcing_failure_percentage: Percent = 0
    """So many percent of detections by failure percentage eject; 0 is off."""
    failure_percentage_threshold: Percent = 85
    """Who fails so many percent of its requests is ejected."""
    failure_percentage_minimum_hosts: Count = 5
    """Endpoints with enough requests, below which nobody is ejected for that."""
    failure_percentage_request_volume: Count = 50
    """Enough requests within an interval."""
    status_codes: tuple[Status, ...] = ()
    """Statuses that are failures, instead of those from 500 up."""
