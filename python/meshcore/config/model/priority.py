"""How much requests matter when not all can be served."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StrictStr

from meshcore.config.model.base import Part
from meshcore.config.model.match import HeaderName

Level = Literal["low", "default", "high"]


class RoutePriority(Part):
    """How much a route's requests matter: `low` is refused first, `high` last."""

    level: Level = "default"
    """Those whose header says nothing."""
    header: HeaderName | None = None
    """The header that says it; left out, all are of `level`."""
    values: dict[StrictStr, Level] = Field(default_factory=dict)
    """What its values mean; left out, `low`, `default` and `high` mean themselves."""


def _plain_is_level(value: object) -> object:
    return {"level": value} if isinstance(value, str) else value


RoutePriorityItem = Annotated[
    RoutePriority, BeforeValidator(_plain_is_level, json_schema_input_type=Level | RoutePriority)
]
"""A level, or `{header, values, level}`."""
