"""The native document described from its models: JSON schema, and docs/configuration.md."""

from __future__ import annotations

from typing import TypeAlias

from meshcore.config.model import Config

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"


def json_schema() -> dict[str, Json]:
    """The JSON schema of the native document (draft 2020-12)."""
    schema: dict[str, Json] = Config.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
