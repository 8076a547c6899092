"""The pages tell the truth: every error code is explained, every document in them is valid."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import meshcore
from tests.test_architecture import RUST, rust_files, rust_module

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    pytest.param(block, id=f"{page.stem}-{index}")
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for index, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL))
    if block.startswith(("listeners:", "# yaml-language-server"))
]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]
FILES = ("web.pem", "web.key", "ca.pem", "c.pem", "c.key")


def error_rows() -> dict[str, tuple[int, str]]:
    """Code to (status, flag), as the engine's error table has them."""
    rows = re.findall(r'\("(\w+)", (\d+), "(\w+)", \w+\)', (ROOT / "rust/error.rs").read_text())
    return {code: (int(status), flag) for code, status, flag in rows}


def explained() -> dict[str, tuple[int, str]]:
    """Code to (status, flag), as the headings of the page have them."""
    page = (ROOT / "docs/errors.md").read_text()
    rows = re.findall(r"^### `(\w+)` \((\d+|no answer), (\w+)\)$", page, re.MULTILINE)
    return {code: (int(status) if status.isdigit() else 0, flag) for code, status, flag in rows}


def test_every_error_code_is_explained() -> None:
    assert error_rows() == explained()


def test_every_error_code_is_met_in_a_test() -> None:
    told = "".join(
        path.read_text()
        for folder in ("tests/e2e", "tests/engine")
        for path in sorted((ROOT / folder).rglob("test_*.py" if folder.endswith("e2e") else "*.rs"))
    )
    assert {code for code in error_rows() if not re.search(rf"\b{code}\b", told)} == set()


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["proxy"],
        ["check"],
        ["analyze"],
        ["explain"],
        ["config", "schema"],
        ["hook", "new"],
        ["hook", "list"],
        ["version"],
    ],
)
def test_every_command_and_flag_is_explained(command: list[str]) -> None:
    meshcore_command = str(Path(sys.executable).parent / "meshcore")
    done = subprocess.run(
        [meshcore_command, *command, "--help"], capture_output=True, text=True, check=True
    )
    page = (ROOT / "docs/cli.md").read_text()
    flags = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", done.stdout)) - {"--help", "--version"}
    assert {flag for flag in flags if flag not in page} == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_in_pages_are_valid(
    document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        (tmp_path / name).write_text("not looked into by the checks of a document\n")
    (tmp_path / "proxy.yaml").write_text(document)
    meshcore.load("proxy.yaml")  # raises what it refuses


def test_pages_name_only_modules_that_exist() -> None:
    """`proxy::http` and `config.sources` in backticks must be modules, or things inside one."""
    rust = {rust_module(path) for path in sorted(RUST.rglob("*.rs"))}
    tops = {name.partition("::")[0] for name in rust if name}
    wrong = []
    for page in PAGES:
        for name in re.findall(r"`((?:\w+::)+\w+)`", page.read_text()):
            if name.partition("::")[0] not in tops or name in rust:
                continue
            module, _, item = name.rpartition("::")
            source = [path for path in rust_files() if rust_module(path) == module]
            if not (source and re.search(rf"\b{item}\b", source[0].read_text())):
                wrong.append(f"{page.relative_to(ROOT)}: {name}")
    assert wrong == []


def test_pages_link_only_to_what_exists() -> None:
    wrong = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert wrong == []


def test_pages_name_only_files_that_exist() -> None:
    """`rust/net/sys.rs` and the like in backticks are files or folders of this house."""
    places = r"`((?:rust|python|tests|benches|fuzz|docs|samples|\.ci)/[\w./-]+)`"
    wrong = [
        f"{page.relative_to(ROOT)}: {name}"
        for page in PAGES
        for name in re.findall(places, page.read_text())
        # A part in capitals stands for something; the history begins with the first release.
        if not (ROOT / name).exists() and not re.search(r"\b[A-Z]{3,}\b|history", name)
    ]
    assert wrong == []
