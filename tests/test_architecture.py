"""The house keeps its own rules: layers, file sizes, names, and where `unsafe` may stand.

The layer tables are read from ARCHITECTURE.md, so that the page and this test can't differ.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RUST = ROOT / "rust"
PYTHON = ROOT / "python" / "meshcore"

QUESTIONED_AT = 300
NEVER_ABOVE = 500
# Files between the two, each with the reason why it stays whole.
LONG_FILES = {
    "benches/e2e/harness/scenarios.py": "the one list of what is measured",
    "python/meshcore/config/sources/istio/analyze/catalogue.py": "the one list of findings",
    "rust/protocol/http1/chunked.rs": "one state machine of one format",
    "rust/net/proxy_protocol.rs": "both versions of one format, read and written",
    "rust/proxy/http/http1/exchange.rs": "one exchange, its phases in their order",
    "rust/proxy/flow.rs": "one state machine of one copy",
    "rust/telemetry/names.rs": "the one list of metrics that everything else is made from",
}

FORBIDDEN_NAMES = {"util", "utils", "common", "types", "helpers", "core", "manager"}
# Those of the border take a descriptor and a capsule that Python hands over; the ABI is made of
# pointers, and its tests write filters.
UNSAFE_FILES = {"rust/net/sys.rs", "rust/python/mod.rs", "rust/python/filters.rs"} | {
    f"rust/abi/{name}.rs"
    for name in (
        "adopt",
        "adopt_tests",
        "call",
        "fake_tests",
        "host",
        "host_tests",
        "instance",
        "instance_tests",
        "library",
        "registry",
        "table",
    )
}
EXTENSION_USERS = {"engine", "extension"}


class Row:
    """One row of a layer table: its modules, and what each of them may use."""

    def __init__(self, layer: int, modules: list[str], grant: str) -> None:
        """Parse the cell `grant`: layers, module paths, and `one` → `other` pairs."""
        self.layer = layer
        self.modules = modules
        pairs = re.findall(r"`([\w:.]+)` → `([\w:.]+)`", grant)
        rest = re.sub(r"`[\w:.]+` → `[\w:.]+`", "", grant)
        self.paths = set(re.findall(r"`([\w:.]+)`", rest))
        self.pairs = {(one, other) for one, other in pairs}
        self.each_other = "each other" in rest
        self.layers: set[int] = set()
        for low, high in re.findall(r"layers? (\d+)(?:\u2013(\d+))?", rest):
            self.layers.update(range(int(low), int(high or low) + 1))


class LayerTable:
    """Who may import whom, as the table under `heading` in ARCHITECTURE.md says."""

    def __init__(self, heading: str, separator: str) -> None:
        """Read the table whose second column is called `heading`."""
        text = (ROOT / "ARCHITECTURE.md").read_text()
        self.separator = separator
        self.rows: dict[str, Row] = {}
        table = text.partition(f"| layer | {heading} |")[2].partition("\n\n")[0]
        for line in table.splitlines()[2:]:
            layer, modules, grant = (cell.strip() for cell in line.strip("|").split("|"))
            row = Row(int(layer), re.findall(r"`([\w.]+)`", modules), grant)
            self.rows.update(dict.fromkeys(row.modules, row))

    def owner(self, path: str) -> str | None:
        """The most specific module of the table that `path` belongs to."""
        parts = path.split(self.separator)
        while parts:
            if (name := self.separator.join(parts)) in self.rows:
                return name
            parts.pop()
        return None

    def allows(self, user: str, used: str) -> bool:
        """Whether module `user` may import `used`."""
        owner = self.owner(used)
        if owner is None or owner == user:
            return owner == user
        row = self.rows[user]
        granted = row.paths | {other for one, other in row.pairs if one == user}
        return (
            self.rows[owner].layer in row.layers
            or (row.each_other and self.rows[owner] is row)
            or any((used + self.separator).startswith(path + self.separator) for path in granted)
        )


RUST_LAYERS = LayerTable("Rust modules", "::")
PYTHON_LAYERS = LayerTable("Python modules", ".")


def code_of(path: Path) -> str:
    """A Rust file without comments, string contents and its tests."""
    text = path.read_text().partition("#[cfg(test)]\nmod ")[0]
    text = re.sub(r"//[^\n]*", "", text)
    return re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)


def is_test(path: Path) -> bool:
    """Whether a Rust file holds tests alone."""
    return path.stem == "tests" or path.stem.endswith("_tests") or "tests" in path.parts


def rust_files() -> list[Path]:
    """The engine's files, tests left out."""
    return [path for path in sorted(RUST.rglob("*.rs")) if not is_test(path.relative_to(RUST))]


def rust_module(path: Path) -> str:
    """The crate path of a file: rust/net/dial.rs is `net::dial`."""
    parts = path.relative_to(RUST).with_suffix("").parts
    return "::".join(part for part in parts if part not in {"mod", "lib"})


def paths_of(tree: str) -> Iterator[str]:
    """The paths of one use tree: `a::{b, c::d}` gives `a::b` and `a::c::d`."""
    head, brace, group = tree.partition("{")
    if not brace:
        yield re.sub(r"\s+as\s+\w+", "", head).strip().removesuffix("::self")
        return
    depth, item = 0, ""
    for letter in group:
        if letter == "}" and depth == 0:
            break
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            yield from paths_of(head + item.strip())
            item = ""
        else:
            item += letter
    if item.strip():
        yield from paths_of(head + item.strip())


def crate_uses(path: Path) -> set[str]:
    """Every path of the crate that a file names, by `use` or in place."""
    code = code_of(path)
    uses = {
        used
        for tree in re.findall(r"\buse crate::([^;]+);", code)
        for used in paths_of(" ".join(tree.split()))
    }
    without_imports = re.sub(r"\buse [^;]+;", "", code)
    return uses | set(re.findall(r"\bcrate::((?:\w+::)*\w+)", without_imports))


def python_module(path: Path) -> str:
    """The module's name below `meshcore`: config/model/route.py is `config.model.route`."""
    parts = path.relative_to(PYTHON).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def python_uses(path: Path) -> set[str]:
    """Every module of the package that a file imports, at its top or inside a function."""
    package = ["meshcore", *path.relative_to(PYTHON).parent.parts]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            found.update(f"{name}.{alias.name}" for alias in node.names)
    return {name.removeprefix("meshcore.") for name in found if name.startswith("meshcore.")}


def test_every_rust_module_stands_in_the_table() -> None:
    declared = set(re.findall(r"^(?:pub )?mod (\w+);", (RUST / "lib.rs").read_text(), re.MULTILINE))
    assert declared == set(RUST_LAYERS.rows)


def test_rust_imports_follow_the_layers() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {top} may not use {used}"
        for path in rust_files()
        if (top := rust_module(path).partition("::")[0])
        for used in sorted(crate_uses(path))
        if not RUST_LAYERS.allows(top, used)
    ]
    assert wrong == []


def test_rust_modules_are_not_left_by_super() -> None:
    wrong = []
    for path in rust_files():
        inside = len(path.relative_to(RUST).parts) - (2 if path.stem == "mod" else 1)
        inside += len(re.findall(r"^(?:pub )?mod \w+ \{", code_of(path), re.MULTILINE))
        chains = re.findall(r"\b(?:super::)+", code_of(path))
        if any(chain.count("super") > inside for chain in chains):
            wrong.append(str(path.relative_to(ROOT)))
    assert wrong == []


@pytest.mark.parametrize("layer_two", ["route", "balance"])
def test_deciders_know_no_sockets_and_no_clock(layer_two: str) -> None:
    forbidden = re.compile(r"\b(tokio|socket2|rustix|std::net::Tcp\w*|std::thread|Instant::now)\b")
    wrong = {
        str(path.relative_to(ROOT)): forbidden.findall(code_of(path))
        for path in rust_files()
        if rust_module(path).startswith(layer_two) and forbidden.search(code_of(path))
    }
    assert wrong == {}


def test_unsafe_stands_only_in_its_file() -> None:
    files = {
        str(path.relative_to(ROOT))
        for path in sorted(RUST.rglob("*.rs"))
        if re.search(r"\bunsafe\b(?!_code)", code_of(path))
    }
    assert files <= UNSAFE_FILES


def test_only_the_clock_reads_the_time() -> None:
    files = {
        str(path.relative_to(ROOT)) for path in rust_files() if "Instant::now()" in code_of(path)
    }
    assert files <= {"rust/runtime/clock.rs"}


def test_every_python_module_stands_in_the_table() -> None:
    homeless = [
        str(path.relative_to(ROOT))
        for path in sorted(PYTHON.rglob("*.py"))
        if PYTHON_LAYERS.owner(python_module(path)) is None and path.stem != "__init__"
    ]
    assert homeless == []


def test_python_imports_follow_the_layers() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {owner} may not use {used}"
        for path in sorted(PYTHON.rglob("*.py"))
        if (owner := PYTHON_LAYERS.owner(python_module(path)))
        for used in sorted(python_uses(path))
        if not used.startswith("_engine") and not PYTHON_LAYERS.allows(owner, used)
    ]
    assert wrong == []


def test_two_modules_import_the_extension() -> None:
    users = {
        python_module(path)
        for path in sorted(PYTHON.rglob("*.py"))
        if any(used.partition(".")[0] == "_engine" for used in python_uses(path))
    }
    assert users == EXTENSION_USERS


def test_files_stay_short() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(
            path.read_text().partition("#[cfg(test)]\nmod ")[0].splitlines()
        )
        for folder in (RUST, PYTHON, ROOT / "tests", ROOT / "benches", ROOT / "fuzz")
        for path in sorted([*folder.rglob("*.rs"), *folder.rglob("*.py")])
        if not {"target", "tests"} & set(path.relative_to(folder).parts) and not is_test(path)
    }
    assert {name: lines for name, lines in lengths.items() if lines > NEVER_ABOVE} == {}
    assert {name for name, lines in lengths.items() if lines > QUESTIONED_AT} == set(LONG_FILES)


def test_nothing_is_called_after_a_drawer() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for folder in (RUST, PYTHON, ROOT / "tests", ROOT / "benches")
        for path in sorted(folder.rglob("*"))
        if path.stem in FORBIDDEN_NAMES and "target" not in path.parts
    ]
    assert wrong == []
