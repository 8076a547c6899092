"""Every kind of refused document: exact place, path, words and hint, and all of them at once."""

import re
from pathlib import Path

import pytest

from meshcore import ConfigError, load, loads
from meshcore.config.sources.examine import examine
from tests.support.engine_in_memory import check

# Each: a fragment of the document below with `$` for what replaces it, and the line to expect.
WEB = """\
listeners:
  - name: web
    address: 127.0.0.1:8080
    routes:
      - to: api
clusters:
  - name: api
    endpoints: [127.0.0.1:9001]
"""


def problems_of(text: str, name: str = "proxy.yaml") -> list[str]:
    with pytest.raises(ConfigError) as refused:
        loads(text, name=name)
    return [str(problem) for problem in refused.value.problems]


LISTENER = [
    (
        "    adress: 127.0.0.1:1\n",
        "proxy.yaml:6:5: listeners[0].adress: unknown key 'adress' (hint: did you mean 'address'?)",
    ),
    (
        "    protocol: htpp\n",
        "proxy.yaml:6:15: listeners[0].protocol: must be one of http, http2, tcp, "
        "tls-passthrough, auto, not 'htpp' (hint: did you mean 'http'?)",
    ),
    (
        "    timeouts: {header: 10}\n",
        "proxy.yaml:6:24: listeners[0].timeouts.header: the duration 10 has no unit "
        "(hint: write 10s)",
    ),
    (
        "    timeouts: {idle: soon}\n",
        "proxy.yaml:6:22: listeners[0].timeouts.idle: 'soon' is not a duration "
        "(hint: write for example 500ms, 5s, 1m30s or 1h)",
    ),
    (
        "    limits: {head_bytes: 64 KB}\n",
        "proxy.yaml:6:26: listeners[0].limits.head_bytes: '64 KB' is not a size "
        "(hint: write for example 64KiB, 10MB, or a number of bytes)",
    ),
    (
        "    limits: {head_count: many}\n",
        "proxy.yaml:6:26: listeners[0].limits.head_count: must be a whole number, not 'many'",
    ),
    (
        "    limits: {connections: -1}\n",
        "proxy.yaml:6:27: listeners[0].limits.connections: must be greater than or equal to 0",
    ),
    (
        "    proxy_protocol: yes\n",
        "proxy.yaml:6:21: listeners[0].proxy_protocol: must be true or false, not 'yes' "
        "(hint: write true)",
    ),
    (
        "    http: {via: 1}\n",
        "proxy.yaml:6:17: listeners[0].http.via: must be a string, not the number 1 "
        '(hint: put it in quotes: "1")',
    ),
    (
        "    http: {underscores: rejected}\n",
        "proxy.yaml:6:25: listeners[0].http.underscores: must be one of reject, drop, keep, "
        "not 'rejected' (hint: did you mean 'reject'?)",
    ),
    (
        "    http: {grpc_web: true}\n",
        "proxy.yaml:6:22: listeners[0].http.grpc_web: gRPC needs HTTP/2, and no cluster of this "
        "listener speaks it (hint: write protocol: http2 on the cluster of the gRPC service)",
    ),
    (
        "    access_log: {format: json}\n",
        "proxy.yaml:6:17: listeners[0].access_log: the key 'path' is missing (hint: write path: …)",
    ),
    (
        "    access_log: access.log\n",
        "proxy.yaml:6:17: listeners[0].access_log: must be a mapping, not 'access.log'",
    ),
    (
        "    tls: {certificate: web.pem}\n",
        "proxy.yaml:6:24: listeners[0].tls.certificate: the certificate has no key "
        "(hint: name its PEM file as key)",
    ),
    (
        "    tls: {}\n",
        "proxy.yaml:6:10: listeners[0].tls: TLS needs a certificate "
        "(hint: write certificate: web.pem and key: web.key)",
    ),
    (
        "    tls: {min_version: 1.1}\n",
        "proxy.yaml:6:24: listeners[0].tls.min_version: must be one of 1.2, 1.3, not '1.1'",
    ),
    (
        "    tls: {certificate: web.pem, key: web.key, alpn: [spdy/1]}\n",
        "proxy.yaml:6:53: listeners[0].tls.alpn: an http listener speaks none of these: "
        "clients could not agree (hint: add h2 or http/1.1, or leave alpn out)",
    ),
    (
        "    http2: {max_concurrent_streams: 0}\n",
        "proxy.yaml:6:37: listeners[0].http2.max_concurrent_streams: 0 is not a number of streams "
        "that HTTP/2 can have (hint: write 1 to 2147483647, for example 100)",
    ),
    (
        "    http2: {initial_stream_window_size: 4KiB}\n",
        "proxy.yaml:6:41: listeners[0].http2.initial_stream_window_size: 4096 bytes are out of "
        "range for this window (hint: write 16KiB to 2147483647 bytes)",
    ),
    (
        "    http2: {initial_stream_window_size: 64}\n",
        "proxy.yaml:6:41: listeners[0].http2.initial_stream_window_size: 64 bytes are out of "
        "range for this window (hint: write 16KiB to 2147483647 bytes)",
    ),
    (
        "    http2: {initial_connection_window_size: 2GiB}\n",
        "proxy.yaml:6:45: listeners[0].http2.initial_connection_window_size: 2147483648 bytes are "
        "out of range for this window (hint: write 65535 to 2147483647 bytes)",
    ),
    (
        "    timeouts: {max_connection_age: 60}\n",
        "proxy.yaml:6:36: listeners[0].timeouts.max_connection_age: the duration 60 has no unit "
        "(hint: write 60s)",
    ),
    (
        "    to: api\n",
        "proxy.yaml:6:5: listeners[0].to: a listener with protocol http has no 'to' "
        "(hint: write routes: [{to: <cluster>}], or protocol: tcp)",
    ),
    (
        "    address: 127.0.0.1:1\n",
        "proxy.yaml:6:5: the key 'address' stands here twice",
    ),
]


@pytest.mark.parametrize(("line", "problem"), LISTENER)
def test_a_listener_is_refused(line: str, problem: str) -> None:
    text = WEB.replace("clusters:", line + "clusters:")
    assert problems_of(text) == [problem]


ADDRESSES = [
    ("8080", "must be a string, not the number 8080", 'put it in quotes: "8080"'),
    ("127.0.0.1", "'127.0.0.1' has no port", "write for example 127.0.0.1:8080"),
    ('"::1"', "'::1' has no port", "write for example [::1]:8080"),
    ('":8080"', "':8080' has no host", "write 127.0.0.1:8080, or 0.0.0.0:8080 for every interface"),
    (
        "localhost:80",
        "'localhost' is not an IP address",
        "write for example 127.0.0.1:80 or unix:/path",
    ),
    ('"*:80"', "'*' is not an IP address", "write for example 0.0.0.0:80 or unix:/path"),
    ("127.0.0.1:http", "'http' is not a port", "a number from 0 to 65535"),
    ("127.0.0.1:65536", "'65536' is not a port", "a number from 0 to 65535"),
    ("http://a:1", "'http://a:1' is a URL, not an address", "leave the scheme out: a:1"),
    ("unix:web", "a unix socket needs an absolute path", "write unix:/path/to/web"),
]


@pytest.mark.parametrize(("address", "words", "hint"), ADDRESSES)
def test_an_address_is_refused(address: str, words: str, hint: str) -> None:
    text = WEB.replace("127.0.0.1:8080", address)
    assert problems_of(text) == [f"proxy.yaml:3:14: listeners[0].address: {words} (hint: {hint})"]


NO_ACTION = "a route needs one of to, redirect, direct_response"

ROUTES = [
    ("{}", 9, "listeners[0].routes[0]", NO_ACTION, "write to: <cluster>"),
    (
        "{to: ap}",
        14,
        "listeners[0].routes[0].to",
        "there is no cluster 'ap'",
        "did you mean 'api'?",
    ),
    (
        "{to: [{cluster: api, weight: 0}]}",
        14,
        "listeners[0].routes[0].to",
        "every weight is 0, so nothing can be chosen",
        "give one cluster a weight of 1 or more",
    ),
    ("{to: []}", 14, "listeners[0].routes[0].to", NO_ACTION, "write to: <cluster>"),
    (
        "{to: api, redirect: {scheme: https}}",
        19,
        "listeners[0].routes[0].redirect",
        "a route has one of to, redirect, direct_response; this one has to and redirect",
        "keep one of them",
    ),
    (
        "{redirect: {scheme: https}, rewrite: {host: a}}",
        37,
        "listeners[0].routes[0].rewrite",
        "a route with redirect has no 'rewrite': it asks no upstream",
        "leave it out",
    ),
    (
        "{redirect: {code: 300}}",
        27,
        "listeners[0].routes[0].redirect.code",
        "must be one of 301, 302, 303, 307, 308, not the number 300",
        "",
    ),
    (
        "{direct_response: {status: 199}}",
        36,
        "listeners[0].routes[0].direct_response.status",
        "must be greater than or equal to 200",
        "",
    ),
    (
        "{to: api, match: {path: {regex: /a, ignore_case: true}}}",
        33,
        "listeners[0].routes[0].match.path",
        "a regex does not take ignore_case",
        "write regex: (?i)/a",
    ),
    (
        "{to: api, match: {path: {exact: /a, prefix: /b}}}",
        33,
        "listeners[0].routes[0].match.path",
        "needs exactly one of exact, prefix, string_prefix, regex; has exact and prefix",
        "keep one of them",
    ),
    (
        "{to: api, match: {path: /a}}",
        33,
        "listeners[0].routes[0].match.path",
        "must be a mapping, not '/a'",
        "",
    ),
    (
        "{to: api, match: {method: get}}",
        35,
        "listeners[0].routes[0].match.method",
        "'get' is not a method",
        "methods are case-sensitive: GET",
    ),
    (
        "{to: api, match: {headers: {x-a: 1}}}",
        42,
        "listeners[0].routes[0].match.headers.x-a",
        "must be a string or a mapping, not 1",
        'put it in quotes: "1"',
    ),
    (
        "{to: api, match: {headers: {x a: b}}}",
        37,
        "listeners[0].routes[0].match.headers.x a",
        "'x a' is not a header name",
        "",
    ),
    (
        "{to: api, match: {sni: a.example}}",
        27,
        "listeners[0].routes[0].match.sni",
        "an http listener does not route by sni",
        "match host instead, or protocol: tls-passthrough or auto",
    ),
]


@pytest.mark.parametrize(("route", "column", "path", "words", "hint"), ROUTES)
def test_a_route_is_refused(route: str, column: int, path: str, words: str, hint: str) -> None:
    text = WEB.replace("to: api", route)
    hint = f" (hint: {hint})" if hint else ""
    assert problems_of(text) == [f"proxy.yaml:5:{column}: {path}: {words}{hint}"]


CLUSTERS = [
    (
        "balance: fastest",
        "must be one of round_robin, random, least_request, p2c_ewma, ring_hash, maglev, "
        "not 'fastest'",
        "balance",
        14,
    ),
    (
        "hash: {table_size: 65536}",
        "65536 is not a prime number (hint: write for example 65537)",
        "hash.table_size",
        24,
    ),
    (
        "hash: {load_factor: 0.5}",
        "0.5 is neither 0 nor from 1 to 1000 (hint: write for example 1.25, or 0 for no bound)",
        "hash.load_factor",
        25,
    ),
    (
        "hash: {load_factor: much}",
        "must be a number, not 'much'",
        "hash.load_factor",
        25,
    ),
    (
        "hash: {ring_size: 0}",
        "must be greater than or equal to 1",
        "hash.ring_size",
        23,
    ),
    (
        "endpoints: [{address: 127.0.0.1:1, weight: 0}]",
        "must be greater than or equal to 1",
        "endpoints[0].weight",
        48,
    ),
    (
        "endpoints: [127.0.0.1:0]",
        "port 0 can't be connected to (hint: name the server's port)",
        "endpoints[0]",
        17,
    ),
    (
        "tls: {key: c.key}",
        "the key has no certificate (hint: name its PEM file as certificate)",
        "tls.key",
        16,
    ),
    (
        "dns: {min_ttl: 2m, max_ttl: 1m}",
        "min_ttl is longer than max_ttl (hint: swap them)",
        "dns",
        10,
    ),
    (
        "protocol: http/2",
        "must be one of http1, http2, auto, same, not 'http/2' (hint: did you mean 'http2'?)",
        "protocol",
        15,
    ),
    (
        "http2: {max_concurrent_streams: 2147483648}",
        "2147483648 is not a number of streams that HTTP/2 can have "
        "(hint: write 1 to 2147483647, for example 100)",
        "http2.max_concurrent_streams",
        37,
    ),
    (
        "http2: {initial_connection_window_size: 64KB}",
        "64000 bytes are out of range for this window (hint: write 65535 to 2147483647 bytes)",
        "http2.initial_connection_window_size",
        45,
    ),
    (
        "proxy_protocol: 2",
        "must be one of v1, v2, not the number 2 (hint: did you mean 'v2'?)",
        "proxy_protocol",
        21,
    ),
]


@pytest.mark.parametrize(("line", "words", "path", "column"), CLUSTERS)
def test_a_cluster_is_refused(line: str, words: str, path: str, column: int) -> None:
    text = WEB.replace("endpoints: [127.0.0.1:9001]", line)
    assert problems_of(text) == [f"proxy.yaml:8:{column}: clusters[0].{path}: {words}"]


SPOKEN = [
    (
        "{name: api, protocol: PROTOCOL, proxy_protocol: v2}",
        "7:NN: clusters[0].proxy_protocol: a cluster with protocol PROTOCOL has no "
        "'proxy_protocol': one connection carries the requests of many clients "
        "(hint: leave one of them out; X-Forwarded-For names the client)",
        {"http2", "auto", "same"},
    ),
    (
        "{name: api, protocol: PROTOCOL, tls: {alpn: [http/1.1]}}",
        "7:NN: clusters[0].tls.alpn: with protocol PROTOCOL the endpoint must be able to agree "
        "on h2 (hint: add h2, or leave alpn out)",
        {"http2", "same"},
    ),
    ("{name: api, protocol: PROTOCOL, tls: {alpn: [h2, http/1.1]}}", "", set()),
]


@pytest.mark.parametrize("protocol", ["http1", "http2", "auto", "same"])
@pytest.mark.parametrize(("cluster", "words", "refused"), SPOKEN)
def test_a_cluster_speaks_http2_only_where_it_can(
    cluster: str, words: str, refused: set[str], protocol: str
) -> None:
    text = WEB.partition("  - name: api")[0] + f"  - {cluster.replace('PROTOCOL', protocol)}\n"
    if protocol not in refused:
        loads(text)
        return
    found = re.sub(r":7:\d+:", ":7:NN:", problems_of(text)[0])
    assert found == f"proxy.yaml:{words.replace('PROTOCOL', protocol)}"


PROTOCOLS = [
    ("protocol: tcp", "no_destination"),
    ("protocol: tcp, to: api, routes: [{to: api}]", "key_not_allowed"),
    ("protocol: tls-passthrough, routes: [{to: api}]", "no_sni"),
    ("protocol: tls-passthrough, to: api, tls: {certificate: a, key: b}", "key_not_allowed"),
    ("protocol: auto", "no_destination"),
    ("protocol: auto, routes: [{to: api, match: {sni: a, host: b}}]", "key_not_allowed"),
    ("protocol: http", "no_destination"),
    ("to: api, protocol: tcp, http: {via: a}", "key_not_allowed"),
    ("to: api, protocol: tcp, http2: {max_concurrent_streams: 1}", "key_not_allowed"),
    ("to: api, protocol: tls-passthrough, http2: {}", "key_not_allowed"),
    ("routes: [{to: api, name: a}, {to: api, name: a}]", "duplicate_name"),
]


@pytest.mark.parametrize(("keys", "code"), PROTOCOLS)
def test_keys_must_suit_the_protocol(keys: str, code: str) -> None:
    text = "listeners: [{name: a, address: 127.0.0.1:1, KEYS}]\nclusters: [{name: api}]\n"
    with pytest.raises(ConfigError) as refused:
        loads(text.replace("KEYS", keys))
    assert [problem.code for problem in refused.value.problems] == [code]


def test_names_and_addresses_are_single() -> None:
    text = WEB.replace(
        "clusters:", "  - {name: web, address: 127.0.0.1:8080, protocol: tcp, to: api}\nclusters:"
    )
    assert problems_of(text + "  - {name: api}\n") == [
        "proxy.yaml:6:12: listeners[1].name: 'web' is already the name of listeners[0] "
        "(hint: names are single)",
        "proxy.yaml:6:26: listeners[1].address: listeners[0] already listens on 127.0.0.1:8080 "
        "(hint: put both listeners' routes into one, or take another port)",
        "proxy.yaml:10:12: clusters[1].name: 'api' is already the name of clusters[0] "
        "(hint: names are single)",
    ]


def test_problems_of_every_stage_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "proxy.yaml"
    path.write_text(
        """\
listeners:
  - {name: a, address: 127.0.0.1:1, protocl: http, routes: [{to: api}]}
  - {name: b, address: 127.0.0.1:2, routes: [{to: apo}, {to: api, match: {method: get}}]}
  - {name: c, address: 127.0.0.1:3, routes: [{to: api}], tls: {certificate: no.pem, key: no.key}}
  - {name: refuse-me, address: 127.0.0.1:4, protocol: tcp, to: api}
clusters:
  - {name: api, endpoints: [127.0.0.1:9001, nowhere]}
"""
    )
    found = examine(str(path), check)
    assert [(problem.line, problem.code) for problem in found.problems] == [
        (2, "unknown_key"),
        (3, "unknown_cluster"),
        (3, "invalid_method"),
        (4, "unreadable_file"),
        (4, "unreadable_file"),
        (5, "refused"),
        (7, "invalid_address"),
    ]
    assert found.prepared is None


def test_a_short_form_is_named_as_it_is_written() -> None:
    text = WEB.replace("endpoints: [127.0.0.1:9001]", "endpoints: [127.0.0.1]")
    assert problems_of(text)[0].startswith("proxy.yaml:8:17: clusters[0].endpoints[0]: ")


def test_json_is_refused_with_the_same_places() -> None:
    text = '{"listeners": [\n  {"name": "web",\n   "adress": "127.0.0.1:1"}]}'
    assert problems_of(text, "proxy.json") == [
        "proxy.json:2:3: listeners[0]: the key 'address' is missing (hint: write address: …)",
        "proxy.json:3:4: listeners[0].adress: unknown key 'adress' (hint: did you mean 'address'?)",
    ]


BROKEN = [
    ("proxy.json", '{"listeners": [,]}', 1, 16, "invalid_json"),
    ("proxy.json", '{"listeners": [], "listeners": []}', 1, 19, "duplicate_key"),
    ("proxy.json", '{"listeners": NaN}', 1, 1, "invalid_json"),
    ("proxy.yaml", "listeners:\n  - {name: a\nclusters: []\n", 3, 9, "invalid_yaml"),
    ("proxy.yaml", "a: [\n", 2, 1, "invalid_yaml"),
    ("proxy.yaml", "- a\n", 1, 1, "not_a_mapping"),
    ("proxy.yaml", "admin: {}\n---\n[]\n", 3, 1, "not_a_mapping"),
    ("proxy.yaml", "", 1, 1, "no_listener"),
]


@pytest.mark.parametrize(("name", "text", "line", "column", "code"), BROKEN)
def test_what_is_no_document_is_refused(
    name: str, text: str, line: int, column: int, code: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        loads(text, name=name)
    found = [(each.line, each.column, each.code) for each in refused.value.problems]
    assert (line, column, code) in found


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "none.yaml")
    assert (
        str(refused.value) == f"{tmp_path}/none.yaml:1:1: cannot be read: no such file or directory"
    )


def test_bytes_that_are_not_utf8_are_placed(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"listeners: []\nclusters: [\xff]\n")
    with pytest.raises(ConfigError, match=r"a\.yaml:2:12: not UTF-8 \(hint: save it as UTF-8\)"):
        load(tmp_path / "a.yaml")


def test_every_problem_is_a_single_line() -> None:
    text = WEB.replace("web", '"a\\nb"').replace("api", '"c\\nd"')
    assert all("\n" not in re.sub(r"\\n", "", line) for line in problems_of(text))
