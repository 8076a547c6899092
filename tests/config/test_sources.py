"""Files, directories and the certificates that they name."""

import os
from pathlib import Path

import pytest

from meshcore import ConfigError, load
from meshcore.config.sources.credentials import Credentials
from meshcore.config.sources.examine import examine
from meshcore.config.sources.locate import engine_problems
from meshcore.config.sources.prepare import prepare
from tests.config.test_compile import EVERY_KEY, KEY, without_filters, write_files
from tests.support.engine_in_memory import check, problem

WEB = "listeners: [{name: web, address: 127.0.0.1:1, routes: [{to: api}]}]\n"
API = "clusters: [{name: api}]\n"


def problems_of(path: Path) -> list[str]:
    return [str(found) for found in examine(str(path), check).problems]


def test_a_directory_is_one_configuration(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(WEB)
    (tmp_path / "a.json").write_text('{"clusters": [{"name": "api"}], "admin": false}')
    (tmp_path / "c.yml").write_text("clusters: [{name: more}]\n")
    (tmp_path / "notes.txt").write_text("not a document")
    config = load(tmp_path)
    assert [cluster.name for cluster in config.clusters] == ["api", "more"]
    assert config.admin is not None
    assert config.admin.address is None
    assert [Path(file).name for file in config.origin.files] == ["a.json", "b.yaml", "c.yml"]


def test_problems_of_a_directory_name_their_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(API + "admin: {}\n")
    (tmp_path / "b.yaml").write_text(WEB.replace("to: api", "to: apo") + "admin: {}\n")
    assert problems_of(tmp_path) == [
        f"{tmp_path}/b.yaml:1:61: listeners[0].routes[0].to: there is no cluster 'apo' "
        "(hint: did you mean 'api'?)",
        f"{tmp_path}/b.yaml:2:1: admin: 'admin' also stands in {tmp_path}/a.yaml "
        "(hint: only listeners and clusters may be spread over several documents)",
    ]


def test_one_broken_document_raises_no_doubts_about_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("clusters: [{name: api}\n")
    (tmp_path / "b.yaml").write_text(WEB)
    found = problems_of(tmp_path)
    assert len(found) == 1
    assert found[0].startswith(f"{tmp_path}/a.yaml:2:1: not valid YAML: ")


def test_an_empty_directory_is_refused(tmp_path: Path) -> None:
    hint = "(hint: put a file ending in .yaml, .yml, .json there)"
    assert problems_of(tmp_path) == [f"{tmp_path}:1:1: no document here {hint}"]


def test_yaml_and_json_mean_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(WEB + API)
    (tmp_path / "a.json").write_bytes(
        b'\xef\xbb\xbf{"listeners": [{"name": "web", "address": "127.0.0.1:1",'
        b' "routes": [{"to": "api"}]}], "clusters": [{"name": "api"}]}'
    )
    one, other = prepare(load(tmp_path / "a.yaml")), prepare(load(tmp_path / "a.json"))
    assert one.compiled.digests == other.compiled.digests


def test_files_are_relative_to_the_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path)
    (tmp_path / "proxy.yaml").write_text(EVERY_KEY.read_text())
    without_filters(tmp_path, monkeypatch)
    monkeypatch.chdir("/")
    found = examine(str(tmp_path / "proxy.yaml"), check)
    assert found.problems == []
    expected = {"web.pem", "web.key", "other.pem", "other.key", "ca.pem", "policies.py"}
    assert set(found.stamps) == {str(tmp_path / name) for name in expected}


def document(tmp_path: Path, tls: str) -> Path:
    path = tmp_path / "proxy.yaml"
    path.write_text(WEB.replace("routes", f"tls: {tls}, routes") + API)
    return path


def test_a_missing_certificate_is_one_line_with_the_place_looked_at(tmp_path: Path) -> None:
    (tmp_path / "web.key").write_text(KEY.format("x"))
    path = document(tmp_path, "{certificate: web.pem, key: web.key}")
    assert problems_of(path) == [
        f"{path}:1:66: listeners[0].tls.certificate: web.pem cannot be read: "
        f"no such file or directory (hint: looked for {tmp_path}/web.pem)"
    ]


def test_a_key_that_may_not_be_read_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path)
    path = document(tmp_path, "{certificate: web.pem, key: web.key}")
    opened = Path.open

    # Root may read everything, so that the system's answer is played.
    def refuse(self: Path, mode: str) -> object:
        if self.name == "web.key":
            raise PermissionError(13, os.strerror(13), str(self))
        return opened(self, mode)

    monkeypatch.setattr(Path, "open", refuse)
    assert problems_of(path) == [
        f"{path}:1:80: listeners[0].tls.key: web.key cannot be read: permission denied "
        "(hint: run as a user who may read it, or change its mode or group)"
    ]


def test_a_file_of_the_wrong_kind_is_told(tmp_path: Path) -> None:
    write_files(tmp_path)
    path = document(tmp_path, "{certificate: web.key, key: web.pem}")
    assert [line.split(": ", 2)[2] for line in problems_of(path)] == [
        "web.key holds no CERTIFICATE "
        "(hint: a PEM file with -----BEGIN CERTIFICATE----- is expected)",
        "web.pem holds no PRIVATE KEY "
        "(hint: a PEM file with -----BEGIN PRIVATE KEY----- is expected)",
    ]


#: Kind, name and path as the engine says them; a text of the line; the path as documents have it.
PLACES = [
    (
        "RouteTable",
        "web",
        "routes[0].match.hosts[1]",
        'host: ["*.example.com", example.com]',
        "listeners[0].routes[0].match.host[1]",
    ),
    (
        "RouteTable",
        "web",
        "routes[2].match.path.regex",
        "match: {path: {regex:",
        "listeners[0].routes[2].match.path.regex",
    ),
    ("RouteTable", "web", "routes[0].match.headers.x-id", "x-id: {regex:", None),
    (
        "RouteTable",
        "web",
        "routes[0].timeout_ms",
        "timeout: 1500ms",
        "listeners[0].routes[0].timeout",
    ),
    (
        "RouteTable",
        "web",
        "routes[0].request_headers.set.x-client",
        "request_headers: {set: {x-client:",
        "listeners[0].routes[0].request_headers.set.x-client",
    ),
    (
        "RouteTable",
        "web",
        "routes[2].rewrite.regex.pattern",
        "rewrite: {regex: {pattern:",
        "listeners[0].routes[2].rewrite.regex.pattern",
    ),
    (
        "RouteTable",
        "mixed",
        "routes[0].to[0].cluster",
        "path: {prefix: /}",
        "listeners[1].routes[0].to",
    ),
    (
        "Listener",
        "mixed",
        "sni_routes[1].sni[0]",
        "sni: [a.example, b.example]",
        "listeners[1].routes[2].match.sni[0]",
    ),
    (
        "Listener",
        "mixed",
        "sni_routes[0].to[0].cluster",
        'sni: "*.example.com"',
        "listeners[1].routes[1].to",
    ),
    (
        "Listener",
        "web",
        "tls.certificates[1]",
        "certificate: other.pem",
        "listeners[0].tls.certificates[1].certificate",
    ),
    (
        "Listener",
        "single",
        "tls.certificates[0]",
        "tls: {certificate: web.pem",
        "listeners[3].tls.certificate",
    ),
    ("Listener", "web", "timeouts.header_ms", "header: 1s", "listeners[0].timeouts.header"),
    ("Listener", "pass", "address", "name: pass", "listeners[2].address"),
    (
        "Endpoints",
        "api",
        "endpoints[1].address",
        "host.example:80",
        "clusters[0].endpoints[1].address",
    ),
    (
        "Cluster",
        "tls",
        "tls.server_name",
        "server_name: api.internal",
        "clusters[1].tls.server_name",
    ),
    (
        "Listener",
        "web",
        "http2.initial_stream_window_size",
        "max_concurrent_streams: 250",
        "listeners[0].http2.initial_stream_window_size",
    ),
    (
        "Listener",
        "web",
        "timeouts.max_connection_age_ms",
        "header: 1s",
        "listeners[0].timeouts.max_connection_age",
    ),
    ("Cluster", "tls", "http2", "max_concurrent_streams: 50,", "clusters[1].http2"),
    ("Cluster", "api", "pool.max_age_ms", "max_age: 1h,", "clusters[0].pool.max_age"),
]


@pytest.mark.parametrize(("kind", "name", "path", "text", "shown"), PLACES)
def test_the_engine_s_problems_find_their_place(
    kind: str, name: str, path: str, text: str, shown: str | None
) -> None:
    config = load(EVERY_KEY)
    raw = f"[{problem(kind, name, path)}]".replace("'", '"').encode()
    (found,) = engine_problems(raw, config, Credentials())
    assert found.file == str(EVERY_KEY)
    assert text in EVERY_KEY.read_text().splitlines()[found.line - 1]
    assert shown is None or found.path == shown


def test_a_problem_of_nothing_known_is_still_told() -> None:
    raw = f"[{problem('Listener', 'gone', 'x')}]".replace("'", '"').encode()
    (found,) = engine_problems(raw, load(EVERY_KEY), Credentials())
    assert found.message == "refused by the stand-in"


def test_too_large_a_document_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshcore.config.sources.text.MAX_BYTES", 10)
    (tmp_path / "a.yaml").write_text("listeners: []\n")
    with pytest.raises(ConfigError, match="larger than"):
        load(tmp_path / "a.yaml")
