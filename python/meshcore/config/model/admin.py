"""Sections about the process itself: its admin endpoints and how it ends."""

from __future__ import annotations

from datetime import timedelta

from meshcore.config.model.base import Part
from meshcore.config.model.units import Duration, ListenAddress

DEFAULT_ADMIN = "127.0.0.1:15000"


class Admin(Part):
    """The admin endpoints; `admin: false` switches them off."""

    address: ListenAddress | None = DEFAULT_ADMIN
    """Where they listen; keep it on the loopback."""


class Drain(Part):
    """How the proxy ends."""

    timeout: Duration = timedelta(seconds=30)
    """What runs may come to its end for so long; then it is cut."""
    idle_grace: Duration = timedelta(seconds=5)
    """How long an idle connection may still bring a request."""
