"""`meshcore analyze`: say what a configuration probably doesn't mean, running nothing."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from meshcore.cli import EXIT_REFUSED, EXIT_USAGE
from meshcore.cli.output import Form, complain, print_data


def analyze(
    path: str = "",
    /,
    *,
    config: Annotated[str, Parameter(name=["--config", "-c", "-f"])] = "",
    output: Annotated[Form, Parameter(name=["--output", "-o"])] = "table",
    fail_on: Literal["info", "warning", "error"] = "error",
) -> int:
    """Print what a configuration says and probably doesn't mean, and what it is refused for.

    Rules that no request reaches, names that refer to nothing, conflicts, and what users of Istio
    trip on: docs/analyze.md explains each code.

    Parameters
    ----------
    path
        A YAML or JSON file, a directory of them, or - for the standard input.
    config
        The same, as proxy has it.
    output
        How to print what was found.
    fail_on
        The level from which on a finding makes the exit code 65.
    """
    from meshcore import extension
    from meshcore.agent.compile import without_collecting
    from meshcore.config.sources.analyze import analyzed
    from meshcore.config.sources.istio.analyze import LEVELS

    if bool(path) == bool(config):
        complain("name one document (hint: meshcore analyze networking/)")
        return EXIT_USAGE
    without_collecting()
    found = analyzed(path or config, extension.check)
    if output == "table":
        for finding in found:
            print(finding)
    else:
        print_data({"findings": [dict(finding.to_json()) for finding in found]}, output)
    bad = LEVELS[LEVELS.index(fail_on) :]
    return EXIT_REFUSED if any(finding.level in bad for finding in found) else 0
