"""`meshcore explain`: say what becomes of a request, sending nothing."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from meshcore.cli import EXIT_REFUSED, EXIT_USAGE
from meshcore.cli.output import Form, complain, print_data, print_problems

if TYPE_CHECKING:
    from meshcore.config.sources.explained import Explained


def explain(
    method: str,
    url: str,
    /,
    *,
    config: Annotated[str, Parameter(name=["--config", "-c", "-f"])],
    header: Annotated[tuple[str, ...], Parameter(name=["--header", "-H"], negative="")] = (),
    listener: str = "",
    identity: str = "",
    output: Annotated[Form, Parameter(name=["--output", "-o"])] = "table",
) -> int:
    """Print the rules that a request would meet, the one that wins, and what applies to it.

    The engine's own parser and route table decide, as in a running proxy.

    Parameters
    ----------
    method
        GET, for example.
    url
        What the client asks for: http://reviews:9080/path?query.
    config
        A YAML or JSON file, a directory of them, or - for the standard input.
    header
        A field of the request: 'end-user: jason'. May be repeated.
    listener
        The listener's name; left out, the one whose port is the URL's, else the one for outbound
        traffic of a mesh.
    identity
        What the client's certificate proves.
    output
        How to print it.
    """
    from meshcore import extension
    from meshcore.agent.compile import without_collecting
    from meshcore.config.sources.asking import Asked, UnclearError
    from meshcore.config.sources.explained import explained
    from meshcore.errors import ConfigError

    without_collecting()
    try:
        asked = Asked.of(method, url, header, identity or None)
        found = explained(config, asked, listener, (extension.check, extension.explain))
    except UnclearError as error:
        complain(str(error))
        return EXIT_USAGE
    except ConfigError as error:
        print_problems(error.problems)
        return EXIT_REFUSED
    if output == "table":
        _print(found)
    else:
        # The names are a stable interface.
        print_data(asdict(found), output)
    return 0


def _print(found: Explained) -> None:
    print(f"{found.request}  →  listener {found.listener.name} ({found.listener.place})")
    if found.path and found.path not in found.request:
        print(f"path as routes see it: {found.path}")
    if found.considered:
        print("\nconsidered:")
    width = max((len(rule.name) for rule in found.considered), default=0)
    for rule in found.considered:
        print(f"  {rule.name:{width}}  {rule.verdict}  ({rule.place})")
    if found.error is not None:
        print(f"\nanswered by the proxy itself: {found.error} (docs/errors.md)")
    for part in found.parts:
        print(f"\n{part.kind} {part.name} ({part.place})")
        width = max((len(policy["key"]) for policy in part.policies), default=0)
        for policy in part.policies:
            print(f"  {policy['key']:{width}}  {policy['value']}  ({policy['place']})")
