"""HTTP rules that can't be reached: an earlier one takes all that they would."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshcore.config.sources.istio.analyze.finding import Analysis
    from meshcore.config.sources.istio.model import VirtualService
    from meshcore.config.sources.istio.model.string_match import StringMatch
    from meshcore.config.sources.istio.model.virtual_service import HttpMatch
    from meshcore.config.sources.istio.objects import Object

_TEXTS = ("scheme", "method", "authority")
_MAPS = ("headers", "queryParams")
_NARROW = ("port", "sourceNamespace", "gateways", "sourceLabels")


def reachability(analysis: Analysis) -> None:
    """Look at the order of the rules."""
    for service in analysis.objects.virtual_services:
        _http(analysis, service)
        _streams(analysis, service)


def _http(analysis: Analysis, service: Object[VirtualService]) -> None:
    before: list[tuple[HttpMatch | None, str]] = []
    for index, rule in enumerate(service.value.spec.http):
        at = service / "http" / index
        blocks: list[HttpMatch | None] = [*rule.match] or [None]
        hidden = [_hiding(block, before) for block in blocks]
        if all(hidden):
            analysis.find("IST0130", service, at, f"{hidden[0]} takes everything that it would")
        else:
            for number, by in enumerate(hidden):
                if by:
                    place = at / "match" / number
                    message = f"{by} takes everything that it would"
                    analysis.find("IST0131", service, place, message)
        name = f"http[{index}]" + (f" ({rule.name})" if rule.name else "")
        before += [(block, name) for block in blocks]


def _hiding(block: HttpMatch | None, before: list[tuple[HttpMatch | None, str]]) -> str:
    """The rule that takes all of a block; empty where none does."""
    return next((name for earlier, name in before if _covers(earlier, block)), "")


def _covers(wide: HttpMatch | None, narrow: HttpMatch | None) -> bool:
    """Whether all that `narrow` matches, `wide` matches; when in doubt, not."""
    if wide is None:
        return True
    if narrow is None:
        return _is_everything(wide)
    if wide.withoutHeaders and wide.withoutHeaders != narrow.withoutHeaders:
        return False
    if any(
        getattr(wide, name) and getattr(wide, name) != getattr(narrow, name) for name in _NARROW
    ):
        return False
    if not _covers_path(wide, narrow):
        return False
    texts = ((getattr(wide, name), getattr(narrow, name)) for name in _TEXTS)
    if not all(_covers_text(one, other) for one, other in texts):
        return False
    return all(
        _covers_text(wanted, getattr(narrow, name).get(key))
        for name in _MAPS
        for key, wanted in getattr(wide, name).items()
    )


def _is_everything(match: HttpMatch) -> bool:
    given = any(getattr(match, name) for name in (*_TEXTS, *_MAPS, *_NARROW, "withoutHeaders"))
    return not given and (match.uri is None or match.uri.is_everything)


def _covers_path(wide: HttpMatch, narrow: HttpMatch) -> bool:
    if wide.uri is None or wide.uri.is_everything:
        return True
    if narrow.ignoreUriCase and not wide.ignoreUriCase:
        return False
    if wide.ignoreUriCase:
        return narrow.uri is not None and _covers_text(_lower(wide.uri), _lower(narrow.uri))
    return _covers_text(wide.uri, narrow.uri)


def _lower(text: StringMatch) -> StringMatch:
    update = {
        name: value.lower()
        for name in ("exact", "prefix")
        if (value := getattr(text, name)) is not None
    }
    return text.model_copy(update=update)


def _covers_text(wide: StringMatch | None, narrow: StringMatch | None) -> bool:
    if wide is None:
        return True
    if narrow is None:
        return False
    if wide.is_presence or wide == narrow:
        return True
    if wide.prefix is None:
        return False
    begin = narrow.exact if narrow.exact is not None else narrow.prefix
    return begin is not None and begin.startswith(wide.prefix)


def _streams(analysis: Analysis, service: Object[VirtualService]) -> None:
    """Rules of tcp after one for everything, server names that an earlier tls rule has."""
    taken = ""
    for index, rule in enumerate(service.value.spec.tcp):
        if taken:
            at = service / "tcp" / index
            analysis.find("IST0130", service, at, f"{taken} takes everything that it would")
        narrow = any(match.model_fields_set for match in rule.match)
        if not narrow:
            taken = f"tcp[{index}]"
    seen: dict[tuple[object, ...], str] = {}
    for index, tls in enumerate(service.value.spec.tls):
        for number, match in enumerate(tls.match):
            rest = tuple(str(getattr(match, name)) for name in _NARROW)
            names = [(name, *rest) for name in match.sniHosts]
            by = {seen[name] for name in names if name in seen}
            if by and all(name in seen for name in names):
                at = service / "tls" / index / "match" / number
                message = f"{min(by)} takes all of its names"
                analysis.find("IST0130", service, at, message)
            for name in names:
                seen.setdefault(name, f"tls[{index}]")
