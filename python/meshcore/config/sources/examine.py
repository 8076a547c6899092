"""Every problem of a document in one run: its form, its names, its files, and the engine's word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from meshcore.config.compile import certificate_files, compile_config
from meshcore.config.hook_resources import add_hooks
from meshcore.config.model import Cluster, Config, HookUse, Listener, Route
from meshcore.config.resources import Credential, complete
from meshcore.config.sources.credentials import Credentials, read_credentials
from meshcore.config.sources.hooks import Hooks, read_hooks
from meshcore.config.sources.locate import engine_problems
from meshcore.config.sources.native import read_all
from meshcore.config.sources.prepare import Prepared
from meshcore.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from meshcore.config.compile import Files
    from meshcore.stamp import Stamps

    EngineCheck = Callable[[bytes, list[Credential]], bytes]

P = TypeVar("P", Listener, Route)


@dataclass(frozen=True, slots=True)
class Examined:
    """What one run found."""

    prepared: Prepared | None
    """Ready to be applied; None when there is a problem."""
    problems: list[Problem]
    """All of them, in the order of the document."""
    config: Config | None
    """What is sound of the document."""
    stamps: Stamps
    """Every file that the documents name, as it was when it was read, to watch."""

    def or_refuse(self) -> Prepared:
        """What can be applied.

        Raises:
            ConfigError: There are problems.
        """
        if self.prepared is None:
            raise ConfigError(self.problems)
        return self.prepared


def examine(path: str, engine_check: EngineCheck) -> Examined:
    """Read, check and compile the document at `path`, installing nothing."""
    config, problems = read_all(path)
    return examine_config(config, problems, engine_check)


def examine_config(
    config: Config | None, problems: list[Problem], engine_check: EngineCheck
) -> Examined:
    """The same for what has been read; `problems` are those found until now."""
    if config is None:
        return Examined(None, problems, None, {})
    credentials, troubles = read_credentials(config)
    hooks, unusable = read_hooks(config)
    problems = [*problems, *map(config.origin.placed, [*troubles, *unusable])]
    whole = config if not problems else _checkable(config, credentials, hooks)
    compiled = compile_config(whole, credentials.names, credentials.pems)
    add_hooks(compiled, whole, hooks.declared)
    sent = complete(compiled)
    raw = engine_check(sent.body, sent.credentials)
    found = engine_problems(raw, config, credentials)
    problems += [problem for problem in dict.fromkeys(found) if not _known(problem, problems)]
    problems.sort(key=lambda problem: (problem.file, problem.line, problem.column))
    prepared = Prepared(config, compiled, credentials, declared=hooks.declared)
    stamps = {**credentials.stamps, **hooks.stamps}
    return Examined(None if problems else prepared, problems, config, stamps)


def _known(problem: Problem, problems: list[Problem]) -> bool:
    """Whether a problem is known at that place, or within it.

    Then the engine says the same in other words, or misses what was left out as unsound.
    """
    inside = (f"{problem.path}.", f"{problem.path}[")
    return any(
        known.path == problem.path or known.path.startswith(inside)
        for known in problems
        if known.file == problem.file
    )


def _checkable(config: Config, credentials: Credentials, hooks: Hooks) -> Config:
    """What the engine can say more about: problems known already would only be repeated."""
    present = {cluster.name for cluster in config.clusters}
    absent = sorted(set(_destinations(config)) - present)
    clusters = [_without_unread(cluster, credentials) for cluster in config.clusters]
    sound = tuple(hook for hook in config.hooks if hook.name not in hooks.broken)
    names = {hook.name for hook in sound}
    listeners = (_hooked(listener, names) for listener in config.listeners)
    return config.model_copy(
        update={
            "hooks": sound,
            "listeners": tuple(_readable(listener, credentials) for listener in listeners),
            "clusters": (*clusters, *(Cluster(name=name) for name in absent)),
        }
    )


def _destinations(config: Config) -> Iterator[str]:
    for listener in config.listeners:
        for targets in (listener.to, *(route.to for route in listener.routes)):
            yield from (target.cluster for target in targets)
        for route in listener.routes:
            yield from (mirror.cluster for mirror in route.mirrors)
    for service in config.rate_limit_services:
        yield from (spoken.cluster for spoken in (service.redis, service.grpc) if spoken)


def _readable(listener: Listener, credentials: Credentials) -> Listener:
    tls = listener.tls
    if tls is None:
        return listener
    files: list[Files] = certificate_files(tls)
    if tls.client_ca is not None:
        files.append((tls.client_ca, None))
    if files and all(pair in credentials.names for pair in files):
        return listener
    return listener.model_copy(update={"tls": None})


def _hooked(listener: Listener, names: Collection[str]) -> Listener:
    """Without the hooks that aren't there, or can't be used."""

    def kept(part: P) -> P:
        if all(use.name in names for use in part.hooks):
            return part
        return part.model_copy(update={"hooks": _in(part.hooks, names)})

    routes = tuple(kept(route) for route in listener.routes)
    if any(new is not old for new, old in zip(routes, listener.routes, strict=True)):
        listener = listener.model_copy(update={"routes": routes})
    return kept(listener)


def _in(uses: tuple[HookUse, ...], names: Collection[str]) -> tuple[HookUse, ...]:
    return tuple(use for use in uses if use.name in names)


def _without_unread(cluster: Cluster, credentials: Credentials) -> Cluster:
    tls = cluster.tls
    if tls is None:
        return cluster
    files: list[Files] = [(tls.ca, None)] if tls.ca is not None else []
    if tls.certificate is not None:
        files.append((tls.certificate, tls.key))
    if all(pair in credentials.names for pair in files):
        return cluster
    return cluster.model_copy(update={"tls": None})
