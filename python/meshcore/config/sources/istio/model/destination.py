"""Where a rule of a VirtualService goes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictStr

from meshcore.config.model.base import Part
from meshcore.config.sources.istio.model.scalars import PortNumber
from meshcore.config.sources.istio.model.support import Inside, Read


class PortSelector(Part):
    """A port of a service."""

    number: Annotated[PortNumber, Read("the service's port")]


class Destination(Part):
    """A service, a subset of it, and one of its ports."""

    host: Annotated[StrictStr, Field(min_length=1), Read("the service")]
    subset: Annotated[StrictStr, Read("a subset of the service's DestinationRule")] = ""
    port: Annotated[PortSelector | None, Inside("left out, the service's only port")] = None
