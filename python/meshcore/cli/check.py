"""`meshcore check`: say what is wrong with a configuration, running nothing."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from meshcore.cli import EXIT_REFUSED, EXIT_USAGE
from meshcore.cli.output import Form, complain, print_data, print_problems, print_table


def check(
    path: str = "",
    /,
    *,
    config: Annotated[str, Parameter(name=["--config", "-c", "-f"])] = "",
    output: Annotated[Form, Parameter(name=["--output", "-o"])] = "table",
) -> int:
    """Print every problem of a document, exactly those that a proxy would refuse it for.

    Parameters
    ----------
    path
        A YAML or JSON file, a directory of them, or - for the standard input.
    config
        The same, as proxy has it.
    output
        How to print what was found.
    """
    from meshcore import extension
    from meshcore.agent.compile import without_collecting
    from meshcore.config.sources.examine import examine

    if bool(path) == bool(config):
        complain("name one document (hint: meshcore check proxy.yaml)")
        return EXIT_USAGE
    without_collecting()
    found = examine(path or config, extension.check)
    if output == "table":
        print_problems(found.problems)
        if not found.problems and found.config is not None:
            counts = [str(len(found.config.listeners)), str(len(found.config.clusters))]
            print_table(("document", "listeners", "clusters"), [(path or config, *counts)])
    else:
        print_data({"problems": [dict(problem.to_json()) for problem in found.problems]}, output)
    return EXIT_REFUSED if found.problems else 0
