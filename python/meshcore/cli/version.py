"""`meshcore version`: which meshcore this is."""

from __future__ import annotations

import platform
from typing import Annotated

from cyclopts import Parameter

from meshcore.cli.output import Form, print_data, print_table


def text() -> str:
    """The version alone."""
    from meshcore.extension import VERSION

    return VERSION


def version(
    *,
    short: Annotated[bool, Parameter(negative="")] = False,
    output: Annotated[Form, Parameter(name=["--output", "-o"])] = "table",
) -> int:
    """Print the version of meshcore, of its engine and of Python.

    Parameters
    ----------
    short
        The number alone.
    output
        How to print it.
    """
    from meshcore.extension import FEATURES

    if short:
        print(text())
        return 0
    found = {
        "version": text(),
        "features": FEATURES,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    if output == "table":
        print_table(tuple(found), [tuple(found.values())])
    else:
        print_data(dict(found), output)
    return 0
