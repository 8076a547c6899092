"""A short-lived process that reads, checks and compiles what a proxy shall run.

Standard input holds the settings; standard output gets a bundle (also when the document is refused:
its files are watched then too), standard error the problems. With `--locate` the engine's problems
follow the settings, and only their places in the document are wanted.
"""

from __future__ import annotations

import gc
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from meshcore import extension
from meshcore.agent.settings import STDIN, Bundle, Settings
from meshcore.config.model import DEFAULT_ADMIN, AccessLog, Config
from meshcore.config.origin import Origin, Trouble
from meshcore.config.resources import Compiled
from meshcore.config.sources.examine import Examined, examine, examine_config
from meshcore.config.sources.explain import explain
from meshcore.config.sources.locate import engine_problems
from meshcore.config.sources.native import documents
from meshcore.errors import Problem
from meshcore.stamp import look

if TYPE_CHECKING:
    from meshcore.config.resources import Credential
    from meshcore.stamp import Stamps

EXIT_REFUSED = 65
# Compiling must not take the cores from the workers.
_NICENESS = 10


def main(arguments: list[str]) -> int:
    """Run as a process; returns its exit code."""
    os.nice(_NICENESS)
    without_collecting()
    settings = Settings.from_json(sys.stdin.buffer.readline().decode())
    if "--locate" in arguments:
        raw = sys.stdin.buffer.read()
        found = examined(settings, _nothing)
        if found.prepared is not None:
            prepared = found.prepared
            _print(engine_problems(raw, prepared.config, prepared.credentials))
        else:
            _print(found.problems)
        return EXIT_REFUSED
    before = document_stamps(settings)
    with redirect_stdout(sys.stderr):  # modules of hooks may print
        found = examined(settings)
    sys.stdout.buffer.write(bundle(before, found).pack())
    sys.stdout.buffer.flush()
    _print(found.problems)
    return EXIT_REFUSED if found.problems else 0


def without_collecting() -> None:
    """For a process that only compiles: nothing that it makes is garbage before it ends.

    To look for garbage among all of it would take as long as the work itself.
    """
    gc.disable()


def examined(settings: Settings, check: object = None) -> Examined:
    """What the settings mean, and all that is wrong with it."""
    engine_check = _nothing if check is _nothing else extension.check
    if settings.config:
        found = examine(settings.config, engine_check)
        if found.config is not None and found.prepared is not None:
            config = _told(found.config, settings)
            found = found if config is found.config else examine_config(config, [], engine_check)
        return found
    return _short(settings)


def document_stamps(settings: Settings) -> Stamps:
    """The documents as they are before they are read: what changes meanwhile is noticed later."""
    if not settings.config or settings.config == STDIN:
        return {}
    # A directory's own change says that a document came or went.
    try:
        paths = [settings.config, *documents(settings.config)]
    except OSError:  # to be told by whoever reads it
        paths = [settings.config]
    return look(str(Path(path).absolute()) for path in paths)


def bundle(before: Stamps, found: Examined) -> Bundle:
    """What a proxy needs of it."""
    named = {str(Path(path).absolute()): stamp for path, stamp in found.stamps.items()}
    watch = {**before, **named}
    if found.prepared is None:
        return Bundle(Compiled(), watch=watch)
    config = found.prepared.config
    admin = (config.admin.address or "") if config.admin is not None else DEFAULT_ADMIN
    return Bundle(
        found.prepared.compiled,
        admin,
        config.drain.timeout.total_seconds(),
        config.drain.idle_grace.total_seconds(),
        watch,
    )


def _short(settings: Settings) -> Examined:
    """The configuration that `--listen … --to …` stands for."""
    from pydantic import ValidationError

    cluster: dict[str, object] = {"name": "to", "endpoints": list(settings.to)}
    if settings.balance:
        cluster["balance"] = settings.balance
    listeners: list[dict[str, object]] = []
    for index, address in enumerate(settings.listen):
        name = "listen" if index == 0 else f"listen-{index}"
        listeners.append({"name": name, "address": address, "routes": [{"to": "to"}]})
    value = {"listeners": listeners, "clusters": [cluster]}
    placed = _by_flag(settings)
    try:
        config = Config.model_validate(value)
    except ValidationError as error:
        problems = [placed(trouble) for trouble in explain(error)]
        return Examined(None, problems, None, {})
    config.read_from(Origin(str(Path.cwd()), (), placed))
    return examine_config(_told(config, settings), [], extension.check)


class _by_flag:
    """Names the flag instead of a place in a file."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, trouble: Trouble) -> Problem:
        path = trouble.path
        match trouble.loc:
            case ("listeners", int(index), *_) if index < len(self._settings.listen):
                path = f"--listen {self._settings.listen[index]}"
            case ("clusters", _, "endpoints", int(index), *_) if index < len(self._settings.to):
                path = f"--to {self._settings.to[index]}"
            case ("clusters", _, "balance", *_):
                path = "--balance"
        return Problem(trouble.code, path, trouble.message, trouble.hint)


def _told(config: Config, settings: Settings) -> Config:
    """With what the command line adds to a document."""
    if settings.access_log:
        config = _logged(config, settings.access_log)
    if settings.locality:
        config = config.model_copy(update={"locality": settings.locality})
    return config


def _logged(config: Config, path: str) -> Config:
    """With an access log for every listener that has none of its own."""
    log = AccessLog(path=path)
    listeners = tuple(
        listener if listener.access_log else listener.model_copy(update={"access_log": log})
        for listener in config.listeners
    )
    return config.model_copy(update={"listeners": listeners})


def _nothing(_body: bytes, _credentials: list[Credential]) -> bytes:
    return b"[]"


def _print(problems: list[Problem]) -> None:
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
