"""The pages tell the truth: every error code is explained, every document in them is valid."""

import re
from pathlib import Path

import meshcore
import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    pytest.param(block, id=f"{page.stem}-{index}")
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for index, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL))
    if block.startswith(("listeners:", "# yaml-language-server"))
]
FILES = ("web.pem", "web.key", "ca.pem", "c.pem", "c.key")


def error_rows() -> dict[str, tuple[int, str]]:
    """Code to (status, flag), as the engine's error table has them."""
    rows = re.findall(r'\("(\w+)", (\d+), "(\w+)", \w+\)', (ROOT / "rust/error.rs").read_text())
    return {code: (int(status), flag) for code, status, flag in rows}


def explained() -> dict[str, tuple[int, str]]:
    """Code to (status, flag), as the headings of the page have them."""
    page = (ROOT / "docs/troubleshooting.md").read_text()
    rows = re.findall(r"^### `(\w+)` \((\d+|no answer), (\w+)\)$", page, re.MULTILINE)
    return {code: (int(status) if status.isdigit() else 0, flag) for code, status, flag in rows}


def test_every_error_code_is_explained() -> None:
    assert error_rows() == explained()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_in_pages_are_valid(
    document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        (tmp_path / name).write_text("not looked into by the checks of a document\n")
    (tmp_path / "proxy.yaml").write_text(document)
    assert meshcore.load("proxy.yaml")
