"""How many requests a cluster may work on at once, learned from how long it takes to answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field, StrictInt

from meshcore.config.model.base import Part
from meshcore.config.model.units import Count, Duration, Percent


class MinRttCalc(Part):
    """How the time of an answer without a queue is measured."""

    interval: Duration = timedelta(seconds=60)
    """The time from one measurement to the next."""
    request_count: Annotated[Count, Field(ge=1)] = 50
    """How many answers one takes."""
    jitter: Percent = 15
    """By up to how many percent the interval is longer, at random."""
    min_concurrency: Annotated[Count, Field(ge=1)] = 3
    """The limit is never below this, and begins with it."""
    buffer: Percent = 25
    """By how many percent answers may be later before the limit falls."""


class AdaptiveConcurrency(Part):
    """A limit that follows the time of answers: Envoy's gradient."""

    sample_aggregate_percentile: Annotated[StrictInt, Field(ge=1, le=100)] = 50
    """The percentile of answers' times that stands for all."""
    concurrency_update_interval: Duration = timedelta(milliseconds=100)
    """The time from one reckoning to the next, 10ms or more."""
    max_concurrency_limit: Annotated[Count, Field(ge=1)] = 1000
    """The limit never exceeds this."""
    min_rtt_calc: MinRttCalc = MinRttCalc.empty()
    """How the time of an answer without a queue is measured."""
