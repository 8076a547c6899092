"""Copies of requests."""

from __future__ import annotations

from meshcore.config.model.base import Part
from meshcore.config.model.units import Name, Percentage


class Mirror(Part):
    """Where copies of a route's requests go; their answers are dropped."""

    cluster: Name
    """The cluster's name."""
    percentage: Percentage = 100
    """Of how many requests."""
