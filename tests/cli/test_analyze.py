"""`meshcore analyze`: what it prints and the exit codes that it ends with."""

import json
from pathlib import Path

import pytest

from tests.cli.test_commands import run

DOCUMENT = """\
listeners: [{name: out, address: "127.0.0.1:0", mesh: outbound}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: away}
spec:
  hosts: [away.example.com]
  http:
  - match: [{uri: {prefix: /v2}}]
    directResponse: {status: 204}
"""
DANGLING = DOCUMENT + "  - route: [{destination: {host: nobody}}]\n"


@pytest.mark.parametrize(
    ("text", "flags", "code"),
    [
        (DOCUMENT, [], 0),
        (DOCUMENT, ["--fail-on", "warning"], 0),
        (DOCUMENT, ["--fail-on", "info"], 65),
        (DANGLING, [], 65),
        (DANGLING.replace("uri", "url"), [], 65),
    ],
)
def test_exit_codes(text: str, flags: list[str], code: int, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text)
    done = run("analyze", str(tmp_path), *flags)
    assert (done.returncode, done.stderr) == (code, "")


def test_a_finding_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(DANGLING)
    lines = run("analyze", "-c", str(tmp_path / "a.yaml")).stdout.splitlines()
    name = f"{tmp_path}/a.yaml"
    about = "VirtualService default/away"
    assert lines == [
        f"{name}:9:28: info MC0001 {about}: '/v2' matches '/v2x' too",
        f"{name}:11:34: error IST0101 {about}: there is no service 'nobody'",
    ]


def test_findings_as_data(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(DANGLING)
    found = json.loads(run("analyze", str(tmp_path), "-o", "json").stdout)["findings"]
    assert [(finding["code"], finding["level"]) for finding in found] == [
        ("MC0001", "info"),
        ("IST0101", "error"),
    ]


def test_no_document_is_a_usage_error() -> None:
    done = run("analyze")
    assert (done.returncode, done.stdout) == (64, "")
    assert "name one document" in done.stderr
