"""What `meshcore explain` found, with the place of everything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshcore.config.sources.asking import answers, listener_for
from meshcore.config.sources.examine import examine_config
from meshcore.config.sources.native import read_merged, validated
from meshcore.config.sources.policies import hook_policies, policies
from meshcore.config.subset import chosen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.model import HookUse, Part, Route
    from meshcore.config.origin import Loc
    from meshcore.config.sources.asking import Answer, Asked, EngineExplain, Rule
    from meshcore.config.sources.examine import EngineCheck
    from meshcore.config.sources.merged import Merged
    from meshcore.config.sources.prepare import Prepared

# Keys that are told otherwise.
_OF_ROUTE = ("name", "match", "to", "hooks")
_OF_CLUSTER = ("name", "endpoints")
_OF_LISTENER = (
    "name",
    "routes",
    "to",
    "hooks",
    "mesh",
    "labels",
    "tls",
    "access_log",
    "route_order",
)


@dataclass(frozen=True, slots=True)
class Considered:
    """A route that was looked at."""

    name: str
    place: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Described:
    """A listener, hook, route or cluster that the request meets, and what it says."""

    kind: str
    name: str
    place: str
    policies: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Explained:
    """What becomes of one request."""

    request: str
    listener: Described
    path: str
    considered: list[Considered]
    error: str | None
    parts: list[Described]


def explained(
    path: str, asked: Asked, listener: str, engine: tuple[EngineCheck, EngineExplain]
) -> Explained:
    """What the documents at `path` do with a request.

    Raises:
        ConfigError: They would be refused.
        UnclearError: Which listener is meant isn't clear.
    """
    engine_check, engine_explain = engine
    merged, base = read_merged(path)
    config, problems = validated(merged, base)
    prepared = examine_config(config, problems, engine_check).or_refuse()
    at = listener_for(prepared.config, asked, listener)
    answer = answers(prepared, [(at, asked)], engine_explain)[0]
    return _Teller(prepared, merged, at).tell(asked, answer)


class _Teller:
    """Gives names and places to what the engine told by position."""

    def __init__(self, prepared: Prepared, merged: Merged, listener: int) -> None:
        self._config = config = prepared.config
        self._declared = prepared.declared
        self._merged = merged
        self._at = listener
        self._listener = config.listeners[listener]

    def tell(self, asked: Asked, answer: Answer) -> Explained:
        request = f"{asked.method} {asked.url.geturl()}"
        listener = self._described("listener", self._listener.name, self._loc())
        taken = None if answer.route is None else self._listener.routes[answer.route]
        considered = [self._considered(rule, answer) for rule in answer.considered]
        parts = list(self._parts(answer.route, taken)) if taken is not None else []
        return Explained(request, listener, answer.path, considered, answer.error, parts)

    def _considered(self, rule: Rule, answer: Answer) -> Considered:
        if rule.route == answer.route:
            verdict = "taken"
        elif rule.failed is None:
            verdict = "matches, but a rule before it does"
        else:
            verdict = f"match.{rule.failed} doesn't hold"
        return Considered(self._name(rule.route), self._place(self._loc(rule.route)), verdict)

    def _parts(self, at: int | None, route: Route) -> Iterator[Described]:
        assert at is not None
        yield self._described("route", self._name(at), self._loc(at), (route, _OF_ROUTE))
        yield from self._hooks(self._listener.hooks)
        yield from self._hooks(route.hooks)
        whole = sum(target.weight for target in route.to)
        named = {cluster.name: cluster for cluster in self._config.clusters}
        for target in route.to:
            index, cluster = next(
                (index, cluster)
                for index, cluster in enumerate(self._config.clusters)
                if cluster.name == target.cluster
            )
            share = f", {target.weight} of {whole}" if len(route.to) > 1 else ""
            count = len(chosen(cluster, named))
            name = f"{cluster.name}{share}, {count} endpoint{'s'[: count != 1]}"
            yield self._described("cluster", name, ("clusters", index), (cluster, _OF_CLUSTER))
        yield self._described(
            "listener", self._listener.name, self._loc(), (self._listener, _OF_LISTENER)
        )

    def _hooks(self, uses: tuple[HookUse, ...]) -> Iterator[Described]:
        for use in uses:
            at, hook = next(
                (index, hook)
                for index, hook in enumerate(self._config.hooks)
                if hook.name == use.name
            )
            here = f", on_error {use.on_error} here" if use.on_error else ""
            loc: Loc = ("hooks", at)
            found = [
                {
                    "key": key,
                    "value": value,
                    "place": by if isinstance(by, str) else self._place(by),
                }
                for key, value, by in hook_policies(hook, self._declared.get(hook.name), loc)
            ]
            yield Described("hook", f"{hook.name}{here}", self._place(loc), found)

    def _described(
        self, kind: str, name: str, loc: Loc, said: tuple[Part, tuple[str, ...]] | None = None
    ) -> Described:
        found: list[dict[str, str]] = []
        if said is not None:
            part, leave = said
            for policy in policies(part, loc, leave):
                place = "default" if policy.loc is None else self._place(policy.loc)
                found.append({"key": policy.key, "value": policy.value, "place": place})
        return Described(kind, name, self._place(loc), found)

    def _name(self, at: int) -> str:
        return self._listener.routes[at].name or f"{self._listener.name}/{at}"

    def _loc(self, route: int | None = None) -> Loc:
        loc: Loc = ("listeners", self._at)
        return loc if route is None else (*loc, "routes", route)

    def _place(self, loc: Loc) -> str:
        file, line, _ = self._merged.place(loc)
        return f"{file}:{line}"
