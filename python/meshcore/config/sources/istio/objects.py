"""Documents of Kubernetes' form become typed objects; what can't be used is refused by line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import ValidationError

from meshcore.config.check import did_you_mean
from meshcore.config.model.base import Part
from meshcore.config.origin import Trouble
from meshcore.config.sources.explain import explain
from meshcore.config.sources.istio.model import (
    KINDS,
    DestinationRule,
    Gateway,
    Kind,
    ServiceEntry,
    VirtualService,
    WorkloadEntry,
)
from meshcore.config.sources.istio.model.support import mark_of, refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meshcore.config.origin import Loc
    from meshcore.config.sources.merged import At, Foreign
    from meshcore.config.sources.text import Value

_GROUP = "networking.istio.io/"
_LATER = "networking.istio.io/", "security.istio.io/", "telemetry.istio.io/", "extensions.istio.io/"

K = TypeVar("K", bound=Kind)


@dataclass(frozen=True, slots=True, eq=False)
class Object(Generic[K]):
    """An object and where it stands; equal to itself alone."""

    value: K
    at: At

    @property
    def key(self) -> tuple[str, str]:
        """Its namespace and name."""
        return self.value.namespace, self.value.name

    def __truediv__(self, step: str | int) -> At:
        """A place in its spec."""
        return self.at / "spec" / step


@dataclass(slots=True)
class Objects:
    """All objects of a configuration, the oldest of each kind first."""

    virtual_services: list[Object[VirtualService]] = field(default_factory=list)
    destination_rules: list[Object[DestinationRule]] = field(default_factory=list)
    service_entries: list[Object[ServiceEntry]] = field(default_factory=list)
    workload_entries: list[Object[WorkloadEntry]] = field(default_factory=list)
    gateways: list[Object[Gateway]] = field(default_factory=list)
    troubles: list[tuple[At, Trouble]] = field(default_factory=list)
    """What is wrong, each with its place."""

    def add(self, value: Kind, at: At) -> None:
        """Take one in."""
        match value:
            case VirtualService():
                self.virtual_services.append(Object(value, at))
            case DestinationRule():
                self.destination_rules.append(Object(value, at))
            case ServiceEntry():
                self.service_entries.append(Object(value, at))
            case WorkloadEntry():
                self.workload_entries.append(Object(value, at))
            case Gateway():
                self.gateways.append(Object(value, at))
            case _:
                raise TypeError(type(value).__name__)

    def sort(self) -> None:
        """The oldest first; without a time of creation, in the order of the documents."""
        self.virtual_services.sort(key=_age)
        self.destination_rules.sort(key=_age)
        self.service_entries.sort(key=_age)
        self.workload_entries.sort(key=_age)
        self.gateways.sort(key=_age)

    def refuse(self, at: At, trouble: Trouble) -> None:
        """Note a trouble of the object at `at`."""
        place = at
        for step in trouble.loc:
            place /= step
        self.troubles.append((place, trouble))


def read_objects(documents: Iterable[Foreign]) -> Objects:
    """Every object of the documents, and all that is wrong with their form."""
    objects = Objects()
    named: set[tuple[str, str, str]] = set()
    for document in documents:
        for at, value in _items(document.at, document.value):
            made = _object(objects, at, value)
            if made is None:
                continue
            key = (type(made).__name__, *(made.namespace, made.name))
            if key in named:
                message = f"there is already a {key[0]} {made.namespace}/{made.name}"
                trouble = Trouble(("metadata", "name"), "duplicate_name", message)
                objects.refuse(at, trouble)
            named.add(key)
            objects.add(made, at)
    objects.sort()
    return objects


def _items(at: At, value: dict[str, Value]) -> Iterator[tuple[At, dict[str, Value]]]:
    """The object itself, or those of a list as `kubectl get` prints it."""
    items = value.get("items")
    if str(value.get("kind", "")).endswith("List") and isinstance(items, list):
        for index, item in enumerate(items):
            if isinstance(item, dict):
                yield at / "items" / index, item
    else:
        yield at, value


def _object(objects: Objects, at: At, value: dict[str, Value]) -> Kind | None:
    version, kind = str(value.get("apiVersion")), str(value.get("kind"))
    if not version.startswith(_GROUP) or kind not in KINDS:
        objects.refuse(at, _unknown(version, kind))
        return None
    model = KINDS[kind]
    try:
        made = model.model_validate(value)
    except ValidationError as error:
        for trouble in explain(error, model):
            objects.refuse(at, trouble)
        return None
    for trouble in refusals(made, ()):
        objects.refuse(at, trouble)
    return made


def _unknown(version: str, kind: str) -> Trouble:
    if version.startswith(_LATER) and kind not in KINDS:
        close = did_you_mean(kind, KINDS)
        hint = close or f"supported are {', '.join(KINDS)}"
        message = f"{kind} is not supported yet"
        return Trouble(("kind",), "not_supported", message, hint)
    hint = f"move it elsewhere; understood are Istio's {', '.join(KINDS)}"
    message = f"{kind} of {version} is nothing that a proxy reads"
    return Trouble(("kind",), "unknown_kind", message, hint)


def refusals(part: Part, loc: Loc) -> Iterator[Trouble]:
    """A trouble for each given field that can't be used."""
    for name, info in type(part).model_fields.items():
        value = getattr(part, name)
        if name not in part.model_fields_set or _is_unset(value):
            continue
        at = (*loc, info.alias or name)
        if reason := refusal(mark_of(info)):
            message = f"{at[-1]} is not supported yet: {reason}"
            yield Trouble(at, "not_supported", message, at_key=True)
        else:
            yield from _refusals_inside(value, at)


def _refusals_inside(value: object, loc: Loc) -> Iterator[Trouble]:
    if isinstance(value, Part):
        yield from refusals(value, loc)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _refusals_inside(item, (*loc, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _refusals_inside(item, (*loc, key))


def _is_unset(value: object) -> bool:
    """Whether it says the same as leaving it out."""
    return value is None or value is False or value == "" or value in ((), {})


def _age(found: Object[K]) -> tuple[bool, str]:
    # Sorting is stable, so that those without a time stay in the order of the documents.
    created = found.value.metadata.creationTimestamp
    return created is None, created or ""
