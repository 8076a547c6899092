"""Durations, sizes and names."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from meshcore.config.model.units import Duration, Name, Size, duration_text

DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)
SIZE: TypeAdapter[int] = TypeAdapter(Size)
NAME: TypeAdapter[str] = TypeAdapter(Name)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("0s", 0),
        ("500ms", 500),
        ("5s", 5_000),
        ("1m30s", 90_000),
        ("1h", 3_600_000),
        ("2d", 172_800_000),
    ],
)
def test_durations(text: str, milliseconds: int) -> None:
    assert DURATION.validate_python(text) == timedelta(milliseconds=milliseconds)


@pytest.mark.parametrize(
    "text", ["", "5", "5 s", "-5s", "s", "1.5s", "5us", "99999d", 5, True, None]
)
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValidationError):
        DURATION.validate_python(text)


@given(st.integers(0, 10**9))
def test_a_duration_survives_being_written(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert DURATION.validate_python(duration_text(duration)) == duration


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64KiB", 65_536),
        ("1MiB", 1 << 20),
        ("10MB", 10_000_000),
        ("7B", 7),
        (42, 42),
        ("2GiB", 2 << 30),
    ],
)
def test_sizes(text: object, size: int) -> None:
    assert SIZE.validate_python(text) == size


@pytest.mark.parametrize(
    "text", ["", "64", "64 KiB", "64kib", "-1B", -1, 1.5, True, None, "2048TiB"]
)
def test_what_is_no_size(text: object) -> None:
    with pytest.raises(ValidationError):
        SIZE.validate_python(text)


@pytest.mark.parametrize("name", ["a", "api-v1", "a.b_c:d/e@f*|g", "9", "x" * 300])
def test_names(name: str) -> None:
    assert NAME.validate_python(name) == name


@pytest.mark.parametrize("name", ["", "-a", "a b", 'a"', "a\n", "ä", "x" * 301])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValidationError):
        NAME.validate_python(name)
