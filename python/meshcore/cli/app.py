"""The commands of `meshcore`."""

from __future__ import annotations

from cyclopts import App
from cyclopts.config import Env


def _version() -> str:
    from meshcore.cli.version import text

    return text()


app = App(
    name="meshcore",
    help="A service mesh data plane: proxy, check and explain.",
    help_format="plaintext",
    version_flags=["--version"],
    version=_version,
    # MESHCORE_WORKERS for --workers, whichever the command.
    config=Env("MESHCORE_", command=False),
    result_action="return_int_as_exit_code_else_zero",
)
config = App(name="config", help="Show what configurations look like.")
hook = App(name="hook", help="Begin a hook of your own; see which filters are installed.")

app.command("meshcore.cli.proxy:proxy", name="proxy", help="Run a proxy.")
app.command(
    "meshcore.cli.check:check", name="check", help="Say what is wrong with a configuration."
)
app.command(
    "meshcore.cli.analyze:analyze",
    name="analyze",
    help="Say what a configuration probably doesn't mean.",
)
app.command(
    "meshcore.cli.explain:explain",
    name="explain",
    help="Say which rules a request would meet, which one wins, and what applies to it.",
)
app.command(config)
config.command(
    "meshcore.cli.schema:schema",
    name="schema",
    help="Print the JSON schema of the native document.",
)
app.command(hook)
hook.command(
    "meshcore.cli.hook:new", name="new", help="Make a folder with a hook that works, to change."
)
hook.command("meshcore.cli.hook:listed", name="list", help="Print the filters that are installed.")
app.command("meshcore.cli.version:version", name="version", help="Print the versions.")
app.command(
    "meshcore.cli.completion:completion",
    name="completion",
    help="Print a shell's completion script.",
)
