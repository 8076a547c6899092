"""The contract of native hooks: its header, its mirrors in Rust and Cython, what is refused.

`tests/fixtures/abi/layout.json` is frozen, and Rust holds its tables against the same file: a
version that was released never changes.
"""

import ctypes
import importlib.util
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypedDict, cast

import pytest

import meshcore
from meshcore import extension
from tests.support import compiler

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent.parent
FIXTURES = ROOT / "tests/fixtures/abi"
FILTER = FIXTURES / "filter.c"
HEADERS = {
    "1.0": FIXTURES / "meshcore_abi_1_0.h",
    "1.1": Path(meshcore.get_include()) / "meshcore_abi.h",
}


class Layout(TypedDict):
    """A table's size and the offsets of its members."""

    size: int
    members: dict[str, int]


class Filter(Protocol):
    """The module of a filter that was written in Cython."""

    def load(self) -> object:
        """Give the capsule."""


LAYOUTS = cast("dict[str, dict[str, Layout]]", json.loads((FIXTURES / "layout.json").read_text()))


def printing(header: Path, tables: dict[str, Layout]) -> str:
    """A program that prints where the members of the tables stand, as JSON."""
    lines = [f'#include "{header}"', "#include <stdio.h>", "int main(void) {"]
    for table, layout in tables.items():
        lines.append(f'printf("{table} %zu\\n", sizeof({table}));')
        lines += [
            f'printf("{table}.{member} %zu\\n", offsetof({table}, {member}));'
            for member in layout["members"]
        ]
    return "\n".join([*lines, "return 0; }"])


@pytest.mark.parametrize("language", ["c", "c++"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_tables_stand_as_they_are_frozen(version: str, language: str, tmp_path: Path) -> None:
    source = printing(HEADERS[version], LAYOUTS[version])
    printed = compiler.run(str(compiler.program(source, tmp_path, language)))
    expected: list[str] = []
    for table, layout in LAYOUTS[version].items():
        expected.append(f"{table} {layout['size']}")
        expected += [f"{table}.{member} {at}" for member, at in layout["members"].items()]
    assert printed.splitlines() == expected


def test_a_newer_version_only_appends() -> None:
    for table, old in LAYOUTS["1.0"].items():
        new = LAYOUTS["1.1"][table]
        assert list(new["members"].items())[: len(old["members"])] == list(old["members"].items())
        assert all(at >= old["size"] for at in list(new["members"].values())[len(old["members"]) :])


def mirror() -> str:
    """The Cython mirror, each declaration in one line."""
    text = (Path(meshcore.__file__).parent / "abi.pxd").read_text()
    text = re.sub(r" *#.*", "", text)
    return re.sub(r"\(\n\s+(.*)\n\s+\)", r"(\1)", text)


def declared(struct: str) -> list[str]:
    """The members of a struct in the mirror: whole declarations."""
    block = re.search(rf"ctypedef struct {struct}:\n((?:        .*\n|\n)+)", mirror())
    assert block is not None
    return [line.strip() for line in block[1].splitlines() if line.strip()]


def name_of(declaration: str) -> str:
    """What a declaration declares."""
    pointer = re.search(r"\(\*(\w+)\)", declaration)
    return pointer[1] if pointer else declaration.rpartition(" ")[2].lstrip("*")


@pytest.mark.parametrize("table", ["mc_str", "mc_host", "mc_filter"])
def test_the_mirror_has_every_member(table: str) -> None:
    names = [name_of(declaration) for declaration in declared(table)]
    assert names == list(LAYOUTS["1.1"][table]["members"])


def test_the_mirror_has_every_macro_and_never_asks_for_the_interpreter() -> None:
    macros = set(re.findall(r"#define (MESHCORE_[A-Z_]+) ", HEADERS["1.1"].read_text()))
    assert {name for name in macros if name not in mirror()} <= {"MESHCORE_EXPORT"}
    functions = [line for line in mirror().splitlines() if "(*" in line]
    assert functions
    assert [line for line in functions if not line.endswith(" noexcept nogil")] == []


def every_member() -> str:
    """A filter in Cython that takes each function's address with the mirror's type.

    The C compiler then holds that type against the header's.
    """
    pointers = {
        name: f"{result}(*{{}}){arguments}"
        for result, name, arguments in re.findall(
            r"ctypedef (.*)\(\*(mc_\w+)\)(\(.*\)) noexcept nogil", mirror()
        )
    }
    pointers["mc_on_request"] = pointers["mc_callback"]
    lines = [
        (FIXTURES / "filter.pyx").read_text(),
        "cdef void every(const mc_host *engine) noexcept:",
    ]
    for declaration in declared("mc_host"):
        name = name_of(declaration)
        lines.append(f"    cdef {declaration}")
        lines.append(f"    {name} = engine.{name}")
    for declaration in declared("mc_filter"):
        kind, name = declaration.replace("*", "").split()[-2:]
        if kind in pointers:
            lines.append(f"    cdef {pointers[kind].format(name)} noexcept nogil")
            lines.append(f"    {name} = table.{name}")
    return "\n".join([*lines, ""])


def test_a_filter_in_cython_is_taken_and_its_types_are_the_headers(tmp_path: Path) -> None:
    source = tmp_path / "org_filter.pyx"
    source.write_text(every_member())
    built = compiler.extension(source, tmp_path)
    spec = importlib.util.spec_from_file_location("org_filter", built)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    capsule = cast("Filter", module).load()
    extension.adopt_filter("cython-org", capsule)
    extension.adopt_filter("cython-org", capsule)  # the same again is fine
    with pytest.raises(ValueError, match='filter "other" has a table that calls itself "cython-o'):
        extension.adopt_filter("other", capsule)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_library_of_each_version_is_taken(version: str, tmp_path: Path) -> None:
    built = compiler.library(FILTER, tmp_path / "org.so", f'-DHEADER="{HEADERS[version]}"')
    extension.load_library(str(built))
    extension.load_library(str(built))


@pytest.mark.parametrize(
    ("define", "words"),
    [
        ("ABI=2u", "is made for version 2 of the ABI, this engine for 1.1: build it with this"),
        ("SIZE=31", r"has a table of 31 bytes \(struct_size\); version 1.0 already has 32"),
        ("SIZE=52", r"has a table of 52 bytes \(struct_size\), which ends inside a member"),
        ('NAME="a b"', "has a table without a valid name: 1 to 64 letters, digits"),
        ("NAME=NULL", "has a table without a valid name"),
        ("CALLBACK=NULL", "has none of the callbacks"),
        ("SYMBOL=meshcore_filter_v0", "exports no function `meshcore_filter_v1`"),
    ],
)
def test_a_library_that_does_not_fit_is_refused(define: str, words: str, tmp_path: Path) -> None:
    flags = (f'-DHEADER="{HEADERS["1.1"]}"', f"-D{define}")
    built = compiler.library(FILTER, tmp_path / "odd.so", *flags)
    with pytest.raises(ValueError, match=words) as refused:
        extension.load_library(str(built))
    assert str(built) in str(refused.value)


def test_what_is_no_library_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.so"
    text.write_text("no library\n")
    with pytest.raises(OSError, match=r"text.so.* can't be loaded: file too short|invalid ELF"):
        extension.load_library(str(text))
    with pytest.raises(OSError, match="can't be loaded: cannot open shared object file: No such"):
        extension.load_library(str(tmp_path / "absent.so"))
    with pytest.raises(ValueError, match=r'must be absolute, unlike "libc\.so\.6"'):
        extension.load_library("libc.so.6")


def capsule_of(address: int, name: bytes | None) -> object:
    """A capsule made by hand."""
    new = ctypes.pythonapi.PyCapsule_New
    new.restype = ctypes.py_object
    new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    made = cast("Callable[[int, bytes | None, None], object]", new)
    return made(address, name, None)


def test_a_capsule_needs_its_name(tmp_path: Path) -> None:
    flags = (f'-DHEADER="{HEADERS["1.0"]}"', '-DNAME="capsule-org"')
    built = ctypes.CDLL(str(compiler.library(FILTER, tmp_path / "org.so", *flags)))
    built.meshcore_filter_v1.restype = ctypes.c_void_p
    table = cast("int", built.meshcore_filter_v1())
    names = {b"meshcore.filter.v2": '"meshcore.filter.v2"', None: "nothing"}
    for name, called in names.items():
        with pytest.raises(ValueError, match=f'called "meshcore.filter.v1", not {called}'):
            extension.adopt_filter("capsule-org", capsule_of(table, name))
    with pytest.raises(TypeError, match="its entry point must give a capsule, not NoneType"):
        extension.adopt_filter("capsule-org", None)
    extension.adopt_filter("capsule-org", capsule_of(table, b"meshcore.filter.v1"))
