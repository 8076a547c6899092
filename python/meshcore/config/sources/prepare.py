"""From a `Config` to what an engine takes: check, read the credentials, compile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshcore.config.check import check, check_cluster
from meshcore.config.compile import compile_config, here_of, recompile_clusters
from meshcore.config.hook_resources import add_hooks
from meshcore.config.sources.credentials import Credentials, cluster_files, read_credentials
from meshcore.config.sources.hooks import read_hooks
from meshcore.config.sources.locate import engine_problems
from meshcore.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshcore.config.model import Cluster, Config
    from meshcore.config.origin import Trouble
    from meshcore.config.resources import Compiled, Key
    from meshcore.errors import RefusedResources
    from meshcore.hooks.api import Declared


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A configuration that is ready to be applied."""

    config: Config
    compiled: Compiled
    credentials: Credentials
    changed: list[Key] | None = None
    """What differs from the one it was prepared after; None: anything may."""
    declared: Mapping[str, Declared] = field(default_factory=dict)
    """What the functions of hooks declare."""

    def anew(self, declared: Mapping[str, Declared]) -> Prepared:
        """The same configuration where functions declare this; itself where nothing differs.

        Raises:
            ConfigError: With every problem that was found.
        """
        functions = {**self.declared, **declared}
        return self if functions == self.declared else prepare(self.config, None, functions)

    def refused(self, by_engine: RefusedResources) -> ConfigError:
        """The engine's problems with their places in the document."""
        return ConfigError(engine_problems(by_engine.raw, self.config, self.credentials))


def prepare(
    config: Config,
    after: Prepared | None = None,
    functions: Mapping[str, Declared] | None = None,
) -> Prepared:
    """Check `config`, read its certificates, import its hooks, and compile it.

    Args:
        config: The configuration.
        after: What runs now. Parts that are the same objects are neither checked nor compiled
            again: parts are immutable, so that is safe, and a change of endpoints costs no more
            with 10,000 clusters than with ten.
        functions: What functions that the program has itself declare, by the names of their hooks.

    Raises:
        ConfigError: With every problem that was found.
    """
    if after is not None and config.origin.base == after.config.origin.base:
        clusters = _replaced_clusters(after.config, config)
        if clusters is not None and _same_credentials(clusters, config, after):
            return _only(clusters, config, after)
    credentials, troubles = read_credentials(config)
    hooks, unusable = read_hooks(config, functions)
    refuse(config, [*check(config, (), functions or ()), *troubles, *unusable])
    compiled = compile_config(config, credentials.names, credentials.pems)
    add_hooks(compiled, config, hooks.declared)
    return Prepared(config, compiled, credentials, declared=hooks.declared)


def refuse(config: Config, troubles: list[Trouble]) -> None:
    """Raise if there are any."""
    if troubles:
        problems = map(config.origin.placed, troubles)
        raise ConfigError(sorted(problems, key=lambda at: (at.file, at.line, at.column)))


def _replaced_clusters(old: Config, new: Config) -> list[tuple[int, Cluster]] | None:
    """The clusters that differ, when nothing else does and their names are the same."""
    if old.listeners is not new.listeners or here_of(old) != here_of(new):
        return None
    if old.rate_limit_services != new.rate_limit_services or old.hooks is not new.hooks:
        return None
    if len(old.clusters) != len(new.clusters):
        return None
    found = _differing(old, new)
    if any(new.clusters[at].name != old.clusters[at].name for at in found):
        return None
    names = {new.clusters[at].name for at in found}
    if any(
        it.subset_of and not names.isdisjoint({it.name, it.subset_of.cluster})
        for it in new.clusters
    ):
        return None  # a subset has endpoints of another cluster
    return [(at, new.clusters[at]) for at in found]


def _differing(old: Config, new: Config) -> list[int]:
    for step in (new.step, old.step):
        if (at := step.between(old.clusters, new.clusters)) is not None:
            return [at]
    pairs = zip(old.clusters, new.clusters, strict=True)
    return [at for at, (before, after) in enumerate(pairs) if before is not after]


def _same_credentials(clusters: list[tuple[int, Cluster]], config: Config, after: Prepared) -> bool:
    """Whether nothing new is named, and the files that are named hold what they held."""
    files = (pair for _, cluster in clusters for pair in cluster_files(cluster))
    known = after.credentials
    return all(pair in known.names for pair in files) and known.are_current(config.origin.base)


def _only(clusters: list[tuple[int, Cluster]], config: Config, after: Prepared) -> Prepared:
    found = [t for at, cluster in clusters for t in check_cluster(cluster, ("clusters", at))]
    refuse(config, found)
    compiled, changed = recompile_clusters(
        after.compiled,
        (cluster for _, cluster in clusters),
        after.credentials.names,
        here_of(config),
    )
    return Prepared(config, compiled, after.credentials, changed, after.declared)
