"""A field that is unknown or not supported is an error with its line, at every depth."""

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from meshcore.config.model.base import Part
from meshcore.config.sources.istio.model import KINDS
from meshcore.config.sources.istio.model.support import mark_of, refusal
from meshcore.config.sources.istio.objects import read_objects
from meshcore.config.sources.merged import Merged
from meshcore.config.sources.text import Document, Value
from meshcore.errors import Problem

DOCUMENT = Path(__file__).parent / "every_field.yaml"
OBJECTS: list[dict[str, Value]] = [
    part for part in yaml.safe_load_all(DOCUMENT.read_text()) if "kind" in part
]
STRAY = "stray"
# Until one fits the field's type.
VALUES: tuple[Value, ...] = ("x", True, 1, "1s", ["x"], {"x": "x"}, {})
# At how many depths each kind has mappings in the documents, so that none is left out unseen.
DEPTHS = {
    "VirtualService": 7,
    "DestinationRule": 9,
    "ServiceEntry": 4,
    "WorkloadEntry": 2,
    "Gateway": 5,
}

Way = tuple[str | int, ...]


def parts(part: Part, way: Way = ()) -> Iterator[tuple[Way, Part]]:
    """Every mapping of a document that has fields, and the way to it."""
    yield way, part
    for name, field in type(part).model_fields.items():
        yield from _inside(getattr(part, name), (*way, field.alias or name))


def _inside(value: object, way: Way) -> Iterator[tuple[Way, Part]]:
    if isinstance(value, Part):
        yield from parts(value, way)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _inside(item, (*way, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _inside(item, (*way, key))


def shape(way: Way) -> Way:
    """Places of lists are alike."""
    return tuple("[]" if isinstance(step, int) else step for step in way)


def places(kind: str) -> Iterator[tuple[dict[str, Value], Way, Part]]:
    """Each mapping that a kind may have, once, in a document that has it."""
    seen: set[Way] = set()
    for found in OBJECTS:
        if found["kind"] != kind:
            continue
        for way, part in parts(KINDS[kind].model_validate(found)):
            # As users wrote it: defaults stand nowhere. In metadata a cluster writes of its own.
            if shape(way) not in seen and _stands(found, way) and way != ("metadata",):
                seen.add(shape(way))
                yield found, way, part


def _stands(found: Value, way: Way) -> bool:
    try:
        return isinstance(_at(found, way), dict)
    except (KeyError, IndexError, TypeError):
        return False


def _at(found: Value, way: Way) -> Value:
    for step in way:
        found = found[step]  # type: ignore[index]
    return found


def problems(
    found: dict[str, Value], way: Way, key: str, value: Value
) -> tuple[list[Problem], int]:
    """What is wrong with a document that has one field more, and that field's line."""
    changed = copy.deepcopy(found)
    mapping = _at(changed, way)
    assert isinstance(mapping, dict)
    # Once more with a word that finds its line again.
    mapping[key] = STRAY
    lines = yaml.safe_dump(changed, sort_keys=False).splitlines()
    (line,) = (at for at, text in enumerate(lines, start=1) if text.endswith(f"{key}: {STRAY}"))
    mapping[key] = value
    merged = Merged()
    merged.add(Document("a.yaml", yaml.safe_dump(changed, sort_keys=False)))
    assert merged.problems == []
    return [merged.placed_at(*pair) for pair in read_objects(merged.foreign).troubles], line


def dotted(way: Way) -> str:
    """As a problem writes it."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in way)
    return text.removeprefix(".")


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_field_is_an_error_wherever_it_stands(kind: str) -> None:
    depths = set()
    for found, way, _ in places(kind):
        ((problem,), line) = problems(found, way, STRAY, 1)
        assert (problem.code, problem.path) == ("unknown_key", dotted((*way, STRAY)))
        assert problem.line == line, problem
        depths.add(len(way))
    assert len(depths) == DEPTHS[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_an_unsupported_field_is_an_error_wherever_it_stands(kind: str) -> None:
    count = 0
    for found, way, part in places(kind):
        for name, field in type(part).model_fields.items():
            if not refusal(mark_of(field)):
                continue
            path = dotted((*way, field.alias or name))
            results = (problems(found, way, field.alias or name, value) for value in VALUES)
            # The document may have others, of which nothing is to be said here.
            refused = (
                (problem.line, line)
                for found_problems, line in results
                for problem in found_problems
                if (problem.code, problem.path) == ("not_supported", path)
            )
            where, line = next(refused)
            assert where == line, path
            count += 1
    assert count > 0
