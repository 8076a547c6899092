"""No field of Istio's kinds is ignored: each that is supported changes what comes out."""

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from meshcore.config.sources.istio.model import KINDS
from meshcore.config.sources.istio.reference import Row, rows, spec_of
from meshcore.config.sources.text import Value
from tests.config.istio.scene import Scene, every_key_exists

DOCUMENT = Path(__file__).parent / "every_field.yaml"
PARTS: list[dict[str, Value]] = list(yaml.safe_load_all(DOCUMENT.read_text()))

# Fields that change nothing by themselves, each with the reason.
WITHOUT_EFFECT = {
    ("VirtualService", "http[].match[].statPrefix"): "metrics have no such prefix",
    ("ServiceEntry", "location"): "without mesh certificates both are alike",
    ("ServiceEntry", "resolution"): "an endpoint is an address or a name by itself; it is checked",
    (
        "DestinationRule",
        "subsets[].trafficPolicy.loadBalancer.consistentHash.useSourceIp",
    ): "one of four keys is needed, so that false is refused",
    ("Gateway", "servers[].name"): "a name alone",
    ("Gateway", "servers[].port.protocol"): "must be what the listener is, else it is refused",
    ("Gateway", "servers[].tls.mode"): "must be the same for a port, else it is refused",
    ("Gateway", "servers[].port.name"): "a name alone",
    ("Gateway", "servers[].tls.maxProtocolVersion"): "what it may say is what holds anyway",
}


Way = tuple[str | int, ...]


def leaves(value: Value, path: Way = ()) -> Iterator[Way]:
    """The way to every key, those that hold no further keys first among equals."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key)
            yield from leaves(item, (*path, key))
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))


def shown(path: Way) -> str:
    """As the table of fields has it."""
    text = "".join("[]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def variants(index: int, path: Way) -> Iterator[list[dict[str, Value]]]:
    """The documents without one key, and with other values there."""
    *steps, last = path
    found: Value = PARTS[index]
    for step in path:
        found = found[step]  # type: ignore[index]
    for other in (None, *others(found)):
        parts = list(PARTS)
        inner: Value = copy.deepcopy(parts[index])
        assert isinstance(inner, dict)
        parts[index] = inner
        for step in steps:
            inner = inner[step]  # type: ignore[index]
        assert isinstance(inner, dict)
        if other is None:
            del inner[str(last)]
        else:
            inner[str(last)] = other
        yield parts


def others(value: Value) -> list[Value]:
    """Other values of its kind."""
    match value:
        case bool():
            return [not value]
        case int():
            return [value + 1, value + 2]  # of two odd numbers one more may be a prime
        case str():
            return [OTHER_WORDS.get(value, f"{value}x")]
        case [str(first), *_]:
            return [[OTHER_WORDS.get(first, "other")]]
        case _:
            return []


OTHER_WORDS: dict[str, Value] = {
    "STATIC": "DNS",
    "DNS": "STATIC",
    "GRPC": "HTTP",
    "HTTP": "TCP",
    "TCP": "HTTP",
    "TLS": "TCP",
    "MUTUAL": "SIMPLE",
    "SIMPLE": "DISABLE",
    "V2": "V1",
    "1s": "4s",
    "10s": "11s",
    "dGVh": "eHl6",
    "UNAVAILABLE": "INTERNAL",
    "db.example.com": "www.example.com",
    "2s": "3s",
    "30s": "31s",
    "TLSV1_3": "TLSV1_2",
    "ROUND_ROBIN": "RANDOM",
    "RANDOM": "ROUND_ROBIN",
    "10.0.0.1": "10.0.0.9",
}


def has_effect(index: int, path: Way, before: object) -> bool:
    """Whether what comes out depends on a field; a document that is refused proves nothing."""
    for parts in variants(index, path):
        scene = Scene.of_values(parts)
        if scene.troubles == [] and scene.everything() != before:
            return True
    return False


def test_the_documents_are_without_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    every_key_exists(monkeypatch)
    scene = Scene.of(DOCUMENT.read_text())
    assert scene.troubles == []
    assert set(scene.translated.routes) == {0, 1, 2, 3, 6, 7, 8}
    assert set(scene.translated.to) == {4, 5}
    assert set(scene.translated.tls) == {2}


@pytest.mark.parametrize("kind", KINDS)
def test_each_field_changes_something(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    every_key_exists(monkeypatch)
    before = Scene.of_values(PARTS).everything()
    effects: dict[str, bool] = {}
    for index, part in enumerate(PARTS):
        if part.get("kind") != kind:
            continue
        for path in leaves(part["spec"]):
            key = shown(path)
            if not effects.get(key):
                effects[key] = has_effect(index, ("spec", *path), before)
    idle = {key for key, effect in effects.items() if not effect}
    # What a mapping holds has its effect or not by itself.
    idle -= {
        key for key in effects if any(one.startswith((f"{key}.", f"{key}[")) for one in effects)
    }
    # Shares must sum to 100, so that none can be changed alone.
    idle = {key for key in idle if "distribute[].to." not in key}
    assert idle == {path for found, path in WITHOUT_EFFECT if found == kind}


def supported(kind: str) -> list[Row]:
    return [row for row in rows(spec_of(kind)) if row.supported]


@pytest.mark.parametrize("kind", KINDS)
def test_the_documents_use_every_field(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    every_key_exists(monkeypatch)
    used = set()
    for part in PARTS:
        if part.get("kind") == kind:
            used |= {shown(path) for path in leaves(part["spec"])}
    # A part stands in the table where it first may be written; any of its places will do.
    used = {path.replace("[]", "") for path in used}
    known = {
        row.path.replace("[]", ""): row.same_as.replace("[]", "") for row in rows(spec_of(kind))
    }
    for place, first in known.items():
        if first:
            used |= {first + path[len(place) :] for path in used if path.startswith(f"{place}.")}
    wanted = {row.path.replace("[]", "") for row in supported(kind)}
    spared = {path.replace("[]", "") for found, path in WITHOUT_EFFECT if found == kind}
    # Below <name> the keys are the user's.
    assert {path for path in wanted - used - spared if "<name>" not in path} == set()
