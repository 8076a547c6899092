"""`meshcore explain`: what it prints and the exit codes that it ends with."""

import json
from pathlib import Path

import pytest

from tests.cli.test_commands import run

DOCUMENT = """\
listeners:
- name: web
  address: 127.0.0.1:8080
  routes:
  - name: beta
    match: {path: {prefix: /x}, headers: {end-user: {exact: jason}}}
    to: [{cluster: new, weight: 9}, {cluster: old}]
    timeout: 250ms
  - match: {path: {prefix: /x}}
    to: old
- {name: out, address: "127.0.0.1:9090", mesh: outbound}
clusters:
- {name: new, balance: p2c_ewma, endpoints: [127.0.0.1:9001, 127.0.0.1:9002]}
- {name: old, endpoints: [127.0.0.1:9003]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: reviews}
spec:
  hosts: [reviews]
  ports: [{number: 9080, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1}]
"""


@pytest.fixture
def document(tmp_path: Path) -> str:
    """The document's path."""
    (tmp_path / "a.yaml").write_text(DOCUMENT)
    return str(tmp_path / "a.yaml")


def test_the_rule_that_wins_and_what_applies(document: str) -> None:
    url = "http://any:8080/x/y"
    done = run("explain", "-c", document, "GET", url, "-H", "end-user: jason")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"GET {url}  →  listener web ({document}:2)"
    assert lines[lines.index("considered:") + 1] == f"  beta  taken  ({document}:5)"
    assert f"route beta ({document}:5)" in lines
    assert any(line.split() == ["timeout", "250ms", f"({document}:8)"] for line in lines)
    assert f"cluster new, 9 of 10, 2 endpoints ({document}:13)" in lines
    assert any(line.split() == ["balance", "p2c_ewma", f"({document}:13)"] for line in lines)
    assert any(line.split() == ["timeouts.connect", "5s", "(default)"] for line in lines)


def test_a_rule_that_fails_says_by_what(document: str) -> None:
    done = run("explain", "-c", document, "GET", "http://any:8080/x")
    lines = done.stdout.splitlines()
    at = lines.index("considered:")
    assert lines[at + 1 : at + 3] == [
        f"  beta   match.headers.end-user doesn't hold  ({document}:5)",
        f"  web/1  taken  ({document}:9)",
    ]


def test_what_the_proxy_answers_itself(document: str) -> None:
    done = run("explain", "-c", document, "GET", "http://any:8080/none", "-o", "json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["error"], found["parts"]) == (0, "no_route", [])
    done = run("explain", "-c", document, "GET", "http://any:8080/%00", "-o", "json")
    assert json.loads(done.stdout)["error"] == "bad_request"


def test_the_port_names_the_listener_else_the_mesh(document: str) -> None:
    done = run("explain", "-c", document, "GET", "http://reviews:9080/", "-o", "json")
    found = json.loads(done.stdout)
    assert found["listener"]["name"] == "out"
    (route,) = [part for part in found["parts"] if part["kind"] == "route"]
    assert route["place"] == f"{document}:16"
    done = run(
        "explain", "-c", document, "GET", "http://reviews:9080/", "--listener", "web", "-o", "json"
    )
    assert json.loads(done.stdout)["listener"]["name"] == "web"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["GET", "reviews/x"], 64, "hint: write http://"),
        (["GET", "http://a:70000/"], 64, "is no URL"),
        (["GET", "http://a:8080/", "-H", "nothing"], 64, "hint: write -H"),
        (["GET", "http://a:8080/", "--listener", "none"], 64, "known: web, out"),
    ],
)
def test_a_question_that_is_none(
    arguments: list[str], code: int, words: str, document: str
) -> None:
    done = run("explain", "-c", document, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


def test_a_document_that_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(DOCUMENT.replace("p2c_ewma", "p3c"))
    done = run("explain", "-c", str(tmp_path), "GET", "http://any:8080/")
    assert done.returncode == 65
    assert f"{tmp_path}/a.yaml:13:" in done.stderr
