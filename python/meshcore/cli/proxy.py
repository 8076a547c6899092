"""`meshcore proxy`: run a proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from meshcore.cli import EXIT_FAILURE, EXIT_REFUSED, EXIT_USAGE
from meshcore.cli.output import complain, print_problems

if TYPE_CHECKING:
    from meshcore.agent.settings import Settings

Balance = Literal["round_robin", "random", "least_request", "p2c_ewma"]


def proxy(
    *,
    config: Annotated[str, Parameter(name=["--config", "-c"])] = "",
    listen: Annotated[list[str] | None, Parameter(negative="")] = None,
    to: Annotated[list[str] | None, Parameter(negative="")] = None,
    balance: Balance | None = None,
    access_log: str = "",
    workers: int = 0,
    pin: Annotated[bool, Parameter(negative="")] = False,
    admin: str | None = None,
    name: str = "",
    state_dir: str = "",
    locality: str = "",
    replace: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Run a proxy until SIGTERM or SIGINT, which drain it; a second one ends it at once.

    SIGHUP and a change of the document or of a certificate read everything again; what is refused
    changes nothing. SIGUSR1 opens the access logs again.

    Parameters
    ----------
    config
        The document: a YAML or JSON file, or a directory of them.
    listen
        Without a document: an address to listen on for HTTP, such as 127.0.0.1:8080. Repeatable.
    to
        Without a document: an address to send requests to, such as 127.0.0.1:9001. Repeatable.
    balance
        Without a document: how one of several is chosen.
    access_log
        A file, /dev/stdout or /dev/stderr, for listeners whose document names none.
    workers
        Threads; 0 is as many as the control group allows.
    pin
        Keep each worker on a core of its own.
    admin
        Where the admin endpoints listen, instead of the document's; none switches them off.
    name
        What --replace finds it by; left out, made from the document's path or the addresses.
    state_dir
        Where running proxies are found; $XDG_RUNTIME_DIR/meshcore, or /tmp/meshcore-<uid>.
    locality
        Where the proxy runs, region/zone/subzone, instead of the document's.
    replace
        Take the listening sockets over from the running proxy of that name, which then drains.
    """
    from meshcore.agent.settings import Settings

    settings = Settings(
        config=config,
        listen=tuple(listen or ()),
        to=tuple(to or ()),
        balance=balance or "",
        access_log=access_log,
        workers=workers,
        pin=pin,
        admin="" if admin == "none" else admin,
        name=name,
        state_dir=state_dir,
        locality=locality,
        replace=replace,
    )
    if wrong := _usage(settings):
        complain(wrong)
        return EXIT_USAGE
    return _run(settings)


def _usage(settings: Settings) -> str:
    from meshcore.config.model.locality import is_locality

    if settings.config and (settings.listen or settings.to or settings.balance):
        return "either --config, or --listen and --to with --balance; not both"
    if not settings.config and not (settings.listen and settings.to):
        return (
            "nothing to run (hint: --config proxy.yaml, "
            "or --listen 127.0.0.1:8080 --to 127.0.0.1:9001)"
        )
    if "/" in settings.name or settings.name.startswith("."):
        return "--name is not a path: letters, digits, - and _"
    if not is_locality(settings.locality):
        return "--locality is region, region/zone or region/zone/subzone"
    return "--workers counts from 0 up" if settings.workers < 0 else ""


def _run(settings: Settings) -> int:
    from meshcore.agent.compile import bundle, document_stamps, examined, without_collecting
    from meshcore.agent.launch import launch

    without_collecting()
    before = document_stamps(settings)
    found = examined(settings)
    if found.problems:
        print_problems(found.problems)
        return EXIT_REFUSED
    try:
        launch(settings, bundle(before, found))
    except OSError as error:
        complain(f"cannot become the proxy: {error}")
    return EXIT_FAILURE
