"""`meshcore config schema`: the JSON schema of the native document."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from meshcore.cli.output import print_data


def schema(
    *, output: Annotated[Literal["json", "yaml"], Parameter(name=["--output", "-o"])] = "json"
) -> int:
    """Print the JSON schema of the native document, for editors and other checkers.

    Parameters
    ----------
    output
        How to print it.
    """
    from meshcore.config.reference import json_schema

    print_data(json_schema(), output)
    return 0
