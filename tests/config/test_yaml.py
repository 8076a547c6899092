"""YAML by version 1.2's rules, and the bounds on what it may hold."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshcore.config.sources import yaml12
from meshcore.config.sources.text import SourceError, Value


def read(text: str) -> Value:
    (node,) = yaml12.compose_all(text) or [None]
    assert node is not None
    constructor = yaml12.Constructor()
    value = constructor.value(node).value
    if constructor.errors:
        raise constructor.errors[0]
    return value


SCALARS: list[tuple[str, Value]] = [
    ("no", "no"),
    ("on", "on"),
    ("yes", "yes"),
    ("y", "y"),
    ("off", "off"),
    ("12:30", "12:30"),
    ("12:30:45", "12:30:45"),
    ("2026-11-22", "2026-11-22"),
    ("1_000", "1_000"),
    ("012", 12),
    ("0o17", 15),
    ("0x1F", 31),
    ("-7", -7),
    ("+7", 7),
    ("1e3", 1000.0),
    (".5", 0.5),
    ("1.", 1.0),
    ("-.inf", -math.inf),
    ("true", True),
    ("True", True),
    ("FALSE", False),
    ("tRue", "tRue"),
    ("null", None),
    ("~", None),
    ("", None),
    ("'no'", "no"),
    ('"12"', "12"),
    ("!!str 12", "12"),
    ("!!int '12'", 12),
    ("5s", "5s"),
    ("127.0.0.1", "127.0.0.1"),
    ("127.0.0.1:80", "127.0.0.1:80"),
    ("-", None),
    ("nil", "nil"),
    ("<<", "<<"),
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_scalars(text: str, value: Value) -> None:
    found = read(f"a: {text}\n") if text != "-" else read("a:\n")
    assert found == {"a": value}


def test_not_a_number_is_one() -> None:
    found = read("a: .nan\n")
    assert isinstance(found, dict)
    assert isinstance(found["a"], float)
    assert math.isnan(found["a"])


@given(st.integers(-(10**30), 10**30))
def test_every_integer_is_read_as_it_is(number: int) -> None:
    assert read(f"[{number}]") == [number]


@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), max_size=20))
def test_quoted_text_is_never_anything_else(text: str) -> None:
    quoted = text.replace("'", "''")
    assert read(f"a: '{quoted}'\n") == {"a": text}


def test_keys_are_strings() -> None:
    assert read("1: a\nno: b\nnull: c\n") == {"1": "a", "no": "b", "null": "c"}


def test_aliases_are_shared() -> None:
    found = read("a: &x [1, 2]\nb: *x\n")
    assert isinstance(found, dict)
    assert found["a"] is found["b"]


REFUSED = [
    ("a: 1\nb: 2\na: 3\n", 3, 1, "duplicate_key"),
    ("b: {c: 1, c: 1}\n", 1, 11, "duplicate_key"),
    ("'1': a\n1: b\n", 2, 1, "duplicate_key"),
    ("? [a]\n: b\n", 1, 3, "invalid_key"),
    ("a: &a {b: 1}\nc: {<<: *a}\n", 2, 5, "merge_key"),
    ("a: !python/object:os.system x\n", 1, 4, "unknown_tag"),
    ("a: !!set {x}\n", 1, 4, "unknown_tag"),
    ("a: &x [*x]\n", 1, 4, "recursive_alias"),
    ("a: *nowhere\n", 1, 4, "invalid_yaml"),
    ("a: " + "9" * 41, 1, 4, "invalid_number"),
    ("\t- a\n", 1, 1, "invalid_yaml"),
]


@pytest.mark.parametrize(("text", "line", "column", "code"), REFUSED)
def test_what_is_refused(text: str, line: int, column: int, code: str) -> None:
    with pytest.raises(SourceError) as refused:
        read(text)
    assert (refused.value.line, refused.value.column, refused.value.code) == (line, column, code)


def test_a_billion_laughs_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(SourceError, match="once its aliases are written out"):
        read("\n".join(lines))


@pytest.mark.parametrize("depth", [yaml12.MAX_DEPTH + 1, 900, 5_000])
def test_deep_nesting_is_refused(depth: int) -> None:
    with pytest.raises(SourceError):
        read("[" * depth + "]" * depth)


def test_depth_within_the_bound_is_read() -> None:
    assert read("[" * yaml12.MAX_DEPTH + "]" * yaml12.MAX_DEPTH)
