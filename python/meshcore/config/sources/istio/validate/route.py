"""Shares of destinations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.origin import Trouble
from meshcore.config.sources.istio.validate.hosts import check_host, check_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshcore.config.origin import Loc
    from meshcore.config.sources.istio.model.destination import Destination
    from meshcore.config.sources.istio.model.virtual_service import HttpTarget, StreamTarget


def check_targets(
    route: Sequence[HttpTarget] | Sequence[StreamTarget], loc: Loc, *, required: bool
) -> Iterator[Trouble]:
    """All that is wrong with the destinations of a rule."""
    if required and not route:
        hint = "write route: [{destination: {host: reviews}}]"
        yield Trouble(loc[:-1], "missing_key", "needs a route", hint)
    destinations = [target.destination for target in route]
    for index, destination in enumerate(destinations):
        yield from check_destination(destination, (*loc, index, "destination"))
    if len(route) > 1 and not any(target.weight for target in route):
        message = "every weight is 0, so nothing can be chosen"
        yield Trouble(loc, "no_weight", message, "give each destination its weight")


def check_destination(destination: Destination, loc: Loc) -> Iterator[Trouble]:
    """All that is wrong with a destination."""
    if destination.host == "*":
        message = "* is no destination"
        yield Trouble((*loc, "host"), "invalid_host", message, "name a service")
    else:
        yield from check_host(destination.host, (*loc, "host"))
    if destination.subset:
        yield from check_name(destination.subset, (*loc, "subset"), "subset")
