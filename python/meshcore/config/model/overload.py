"""When the process has too much to do, and what it refuses then."""

from __future__ import annotations

from meshcore.config.model.base import Part
from meshcore.config.model.units import Count, Percent, Size


class OverloadStages(Part):
    """From how many percent of the fullest bound on what happens.

    Each stage does what those before it do, and ends five percent below where it begins.
    """

    close_idle: Percent = 80
    """Connections that have had no request for a second are closed."""
    refuse_low: Percent = 90
    """Requests of low priority are refused."""
    refuse_default: Percent = 95
    """All requests but those of high priority are refused, and TCP connections."""
    refuse_all: Percent = 100
    """Everything new is refused, connections too."""


class Overload(Part):
    """What the process may use; 0 is any amount."""

    max_memory: Size = 0
    """Resident memory."""
    max_open_files_percent: Percent = 0
    """Open files, in percent of the process's limit (`ulimit -n`)."""
    max_active_requests: Count = 0
    """HTTP requests that are being served."""
    stages: OverloadStages = OverloadStages.empty()
    """What happens as they fill."""
