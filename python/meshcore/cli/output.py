"""Printing what commands found: data on standard output, words on standard error."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meshcore.errors import Problem

Form = Literal["table", "json", "yaml"]

Data: TypeAlias = "dict[str, Data] | list[Data] | str | int | float | bool | None"


def print_data(data: Data, form: Form) -> None:
    """As JSON or YAML."""
    if form == "yaml":
        import yaml

        print(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), end="")
    else:
        print(json.dumps(data, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Aligned columns; coloured only where a person looks and has not asked otherwise."""
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        from rich.console import Console
        from rich.table import Table

        table = Table(*columns, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*row)
        Console().print(table)
        return
    lines = [tuple(columns), *(tuple(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def print_problems(problems: Iterable[Problem]) -> None:
    """One line each, on standard error."""
    for problem in problems:
        print(problem, file=sys.stderr)


def complain(words: str) -> None:
    """One line of words."""
    print(f"meshcore: {words}", file=sys.stderr)
