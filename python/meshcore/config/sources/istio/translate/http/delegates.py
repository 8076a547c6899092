"""The HTTP rules of a VirtualService with those of its delegates in their places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshcore.config.sources.istio.translate.names import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.sources.istio.model import VirtualService
    from meshcore.config.sources.istio.model.string_match import StringMatch
    from meshcore.config.sources.istio.model.virtual_service import Delegate, HttpMatch, HttpRule
    from meshcore.config.sources.istio.objects import Object
    from meshcore.config.sources.merged import At

# What a delegate's rule takes whole from its root where it has none of its own.
INHERITED = (
    "rewrite", "directResponse", "timeout", "retries", "fault", "mirror", "mirrors",
    "mirrorPercent", "mirrorPercentage", "corsPolicy", "headers",
)  # fmt: skip
_SAME = ("ignoreUriCase", "port", "sourceNamespace", "gateways", "sourceLabels")
_TEXTS = ("uri", "scheme", "method", "authority")
_MAPS = ("headers", "withoutHeaders", "queryParams")


@dataclass(frozen=True, slots=True)
class PlacedRule:
    """A rule with its place, and the namespace that its short names refer to."""

    rule: HttpRule
    at: At
    namespace: str
    number: str = ""
    """Its position in the root; within a delegate, that of both."""
    matches: tuple[At, ...] = ()
    """Where its match blocks stand, if not in itself."""

    def match_at(self, index: int) -> At:
        """Where a match block stands."""
        if index < len(self.matches):
            return self.matches[index]
        return self.at / "match" / index


def http_rules(
    root: Object[VirtualService], services: list[Object[VirtualService]]
) -> Iterator[PlacedRule]:
    """Every rule in order; a delegate's rule that contradicts its root's is left out."""
    for index, rule in enumerate(root.value.spec.http):
        at = root / "http" / index
        if rule.delegate is None:
            yield PlacedRule(rule, at, root.value.namespace, str(index))
            continue
        delegate = find(rule.delegate, root, services)
        if delegate is None:
            continue
        for number, leaf in enumerate(delegate.value.spec.http):
            home = delegate.value.namespace
            place = PlacedRule(leaf, delegate / "http" / number, home, f"{index}-{number}")
            if (merged := merge(rule, place)) is not None:
                yield merged


def find(
    named: Delegate, root: Object[VirtualService], services: list[Object[VirtualService]]
) -> Object[VirtualService] | None:
    """The delegate that a root names."""
    namespace = named.namespace or root.value.namespace
    for found in services:
        if found.key == (namespace, named.name) and not found.value.spec.hosts:
            export_to = found.value.spec.exportTo
            if visible(export_to, namespace, root.value.namespace):
                return found
    return None


def merge(root: HttpRule, leaf: PlacedRule) -> PlacedRule | None:
    """A delegate's rule within its root's; None where they contradict each other."""
    rule = leaf.rule
    matches: list[HttpMatch] = []
    places: list[At] = []
    for index, inner in enumerate(rule.match):
        fitting = [both for outer in root.match if (both := _both(outer, inner)) is not None]
        if root.match and not fitting:
            return None
        found = fitting or [inner]
        matches += found
        places += [leaf.match_at(index)] * len(found)
    if not rule.match:
        matches = list(root.match)
        places = [leaf.at] * len(matches)
    update: dict[str, object] = {"match": tuple(matches)}
    for name in INHERITED:
        if not getattr(rule, name) and getattr(root, name):
            update[name] = getattr(root, name)
    update["name"] = "-".join(filter(None, (root.name, rule.name)))
    made = rule.model_copy(update=update)
    return PlacedRule(made, leaf.at, leaf.namespace, leaf.number, tuple(places))


def _both(outer: HttpMatch, inner: HttpMatch) -> HttpMatch | None:
    """What fulfils both; None where the inner isn't a part of the outer."""
    update: dict[str, object] = {}
    for name in _SAME:
        mine, theirs = getattr(inner, name), getattr(outer, name)
        if mine and theirs and mine != theirs:
            return None
        update[name] = mine or theirs
    if outer.uri and inner.uri and outer.ignoreUriCase != inner.ignoreUriCase:
        return None
    for name in _TEXTS:
        mine, theirs = getattr(inner, name), getattr(outer, name)
        if mine is not None and theirs is not None and not _within(theirs, mine):
            return None
        update[name] = mine if mine is not None else theirs
    for name in _MAPS:
        mine, theirs = getattr(inner, name), getattr(outer, name)
        shared = mine.keys() & theirs.keys()
        if any(not _within(theirs[key], mine[key]) for key in shared):
            return None
        update[name] = {**theirs, **mine}
    update["name"] = "-".join(filter(None, (outer.name, inner.name)))
    return inner.model_copy(update=update)


def _within(outer: StringMatch, inner: StringMatch) -> bool:
    """Whether all that `inner` matches, `outer` matches too."""
    if outer.regex is not None or inner.regex is not None:
        return False
    if outer.exact is not None:
        return inner.exact == outer.exact
    if outer.prefix is None:
        return True
    begin = inner.exact if inner.exact is not None else inner.prefix
    return begin is not None and begin.startswith(outer.prefix)
