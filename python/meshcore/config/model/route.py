"""Routes of a listener: what they match and what becomes of each match."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, StrictStr

from meshcore.config.model.action import Cors, DirectResponse, HeaderEdits, Redirect, Rewrite
from meshcore.config.model.base import Part
from meshcore.config.model.fault import Fault
from meshcore.config.model.hash_on import HashOn
from meshcore.config.model.hook import HookUses
from meshcore.config.model.match import Match
from meshcore.config.model.mirror import Mirror
from meshcore.config.model.priority import RoutePriorityItem
from meshcore.config.model.rate_limit import RateLimit
from meshcore.config.model.retries import Hedge, Retries
from meshcore.config.model.session_affinity import SessionAffinity
from meshcore.config.model.units import Duration, Name, Weight


class Target(Part):
    """A share of what a route takes."""

    cluster: Name
    """The cluster's name."""
    weight: Weight = 1
    """The relative share; 0 takes nothing."""
    request_headers: HeaderEdits | None = None
    """Changes of a request's headers, after the route's."""
    response_headers: HeaderEdits | None = None
    """Changes of a response's headers, after the route's."""
    host_rewrite: StrictStr | None = None
    """In place of the host, unless the route rewrites it."""


def _targets(value: object) -> object:
    if isinstance(value, str):
        return ({"cluster": value},)
    if isinstance(value, (dict, Target)):
        return (value,)
    if isinstance(value, (list, tuple)):
        return tuple({"cluster": item} if isinstance(item, str) else item for item in value)
    return value


Targets = Annotated[
    tuple[Target, ...],
    BeforeValidator(_targets, json_schema_input_type=str | Target | tuple[str | Target, ...]),
]
"""A cluster's name, or a list of `{cluster, weight}`."""


class Route(Part):
    """One route, with one of `to`, `redirect` and `direct_response`."""

    name: Name | None = None
    """Stands in logs and metrics; left out, it is `<listener>/<index>`."""
    match: Match = Match.empty()
    """What it takes; left out, everything."""
    to: Targets = ()
    """Where it goes: a cluster's name, or a list of `{cluster, weight}`."""
    redirect: Redirect | None = None
    """Where the client is sent."""
    direct_response: DirectResponse | None = None
    """What is answered at once."""
    rewrite: Rewrite | None = None
    """What upstreams see of path and host."""
    request_headers: HeaderEdits | None = None
    """Changes of a request's headers."""
    response_headers: HeaderEdits | None = None
    """Changes of a response's headers, also of those that the proxy itself makes."""
    cors: Cors | None = None
    """Who may call from a browser; preflights are answered by the proxy."""
    fault: Fault | None = None
    """Delays and failures on purpose."""
    rate_limits: tuple[RateLimit, ...] = ()
    """How many requests pass; all of them must let a request pass."""
    hooks: HookUses = ()
    """Who is asked about its requests, in this order, after the listener's: names of `hooks`, or
    `{name, on_error}`."""
    priority: RoutePriorityItem | None = None
    """How much requests matter when not all can be served: `low`, `default` or `high`, or a header
    that says it."""
    mirrors: tuple[Mirror, ...] = ()
    """Who gets copies of its requests."""
    retries: Retries | None = None
    """What is tried again, beside what provably reached nobody: that always is."""
    hedge: Hedge | None = None
    """A second attempt for requests that are not answered soon."""
    hash_on: tuple[HashOn, ...] = ()
    """What a request's key is made of, in this order, for clusters with the balance `ring_hash` or
    `maglev`; a request that has nothing of it goes anywhere."""
    session_affinity: SessionAffinity | None = None
    """The client carries the name of the endpoint that answered it first, and comes back to it."""
    timeout: Duration = timedelta(0)
    """From the end of the request's head, or of a fault's delay, to the end of the response; `0s`
    is off."""
    response_header_timeout: Duration = timedelta(0)
    """From the end of the request to the end of the response's head, the time to its first byte
    (504); `0s` is off."""
