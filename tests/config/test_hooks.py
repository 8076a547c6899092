"""Hooks in documents: what is refused and where, what functions declare, what engines get."""

import itertools
import json
from pathlib import Path
from typing import Protocol

import pytest

from meshcore import Config, ConfigError, extension, filters, load
from meshcore.config.resources import Filter
from meshcore.config.sources.asking import Asked
from meshcore.config.sources.examine import Examined, examine
from meshcore.config.sources.explained import explained
from meshcore.config.sources.prepare import Prepared, prepare
from meshcore.errors import HookError
from meshcore.hooks.api import Declared
from meshcore.hooks.spec import PythonHook

WEB = """\
listeners:
  - name: web
    address: 127.0.0.1:0
    hooks: $L
    routes: [{to: api, hooks: $R}]
clusters: [{name: api, endpoints: [127.0.0.1:9001]}]
hooks:
"""
POLICIES = """\
import meshcore

@meshcore.hook(
    headers=["Authorization"], cache=["header.Authorization"], ttl=5.0, entries=7,
    timeout=0.02, concurrency=3, max_pending=4, body=9, on_error="allow",
)
async def declared(request): ...

async def plain(request): ...

@meshcore.hook(phase="connection")
async def accepted(connection): ...

def sync(request): ...

async def greedy(request, plans): ...
"""
# Modules stay imported: each test has one of its own.
_numbers = itertools.count()

Wire = dict[str, object]


class House(Protocol):
    def __call__(self, *hooks: str, listener: str = "[]", route: str = "[]") -> Path: ...


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Makes a document of these hooks beside a module, which `M` stands for."""
    module = f"policies_{next(_numbers)}"
    (tmp_path / f"{module}.py").write_text(POLICIES)

    def made(*hooks: str, listener: str = "[]", route: str = "[]") -> Path:
        text = WEB.replace("$L", listener).replace("$R", route)
        text += "".join(f"  - {hook.replace('M:', f'{module}:')}\n" for hook in hooks)
        (tmp_path / "proxy.yaml").write_text(text)
        return tmp_path / "proxy.yaml"

    return made


def wire(prepared: Prepared, name: str) -> Wire:
    found: Wire = json.loads(prepared.compiled.resources["Hook", name])
    return found


def found(path: Path) -> Examined:
    return examine(str(path), extension.check)


def told(path: Path) -> list[str]:
    """Line, code, path and words of every problem."""
    return [f"{it.line}: {it.code} {it.path}: {it.message}" for it in found(path).problems]


def test_what_a_function_declares_holds_where_the_document_is_silent(house: House) -> None:
    path = house("{name: one, python: M:declared}", "{name: two, python: M:plain}")
    prepared = prepare(load(path))
    assert wire(prepared, "one") == {
        "name": "one",
        "on_error": "allow",
        "timeout_ms": 20,
        "python": {
            "phase": "request",
            "headers": ["authorization"],
            "body_bytes": 9,
            "concurrency": 3,
            "max_pending": 4,
            "cache": {"key": ["header.authorization"], "ttl_ms": 5_000, "entries": 7},
        },
    }
    assert wire(prepared, "two") == {
        "name": "two",
        "on_error": "deny",
        "timeout_ms": 100,
        "python": {
            "phase": "request",
            "headers": [],
            "body_bytes": 0,
            "concurrency": 64,
            "max_pending": 1024,
        },
    }
    hook = prepared.compiled.hooks["one"]
    assert (hook.folder, hook.concurrency) == (str(path.parent), 3)
    assert hook.ref.endswith(":declared")


def test_what_the_document_says_wins(house: House) -> None:
    keys = "on_error: deny, timeout: 1s, concurrency: 5, max_pending: 6, body: 0"
    path = house(f"{{name: one, python: M:declared, {keys}, cache: {{ttl: 1m}}}}")
    hook = wire(prepare(load(path)), "one")
    python = hook["python"]
    assert isinstance(python, dict)
    cache = {"key": ["header.authorization"], "ttl_ms": 60_000, "entries": 7}
    assert (hook["on_error"], hook["timeout_ms"]) == ("deny", 1_000)
    assert (python["concurrency"], python["max_pending"], python["body_bytes"]) == (5, 6, 0)
    assert python["cache"] == cache


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ("", ""),
        (", config: [a, {b: 1}]", '["a", {"b": 1}]'),
        (", config: as it is", "as it is"),
        (", config: {name: Zoë}", '{"name": "Zoë"}'),
        (", config: null", "null"),
    ],
)
def test_native_code_is_created_with_a_text(
    house: House, monkeypatch: pytest.MonkeyPatch, config: str, text: str
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(filters, "adopt", asked.extend)
    path = house(f"{{name: a, filter: keys{config}}}", "{name: b, native: ./lib/x.so}")
    prepared = prepare(load(path))
    library = str(path.parent / "lib/x.so")
    assert wire(prepared, "a") == {
        "name": "a",
        "on_error": "deny",
        "timeout_ms": 1_000,
        "native": {"filter": "keys", "config": text},
    }
    assert wire(prepared, "b")["native"] == {"filter": library, "config": ""}
    assert asked == ["keys", library]
    assert prepared.compiled.filters == [Filter("keys"), Filter(library)]


def test_a_sound_document_is_taken_by_the_engine(house: House) -> None:
    path = house(
        "{name: one, python: M:declared}",
        "{name: door, python: M:accepted}",
        listener="[door, one]",
        route="[{name: one, on_error: deny}]",
    )
    examined = found(path)
    assert examined.problems == []
    watched = [Path(file).name for file in examined.stamps]
    assert any(name.startswith("policies_") for name in watched)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("python: M:sync", "hook_unusable hooks[0].python: *:sync: is not an async"),
        ("python: M:none", "hook_unusable hooks[0].python: *has no function none"),
        ("python: M:greedy", "hook_unusable hooks[0].python: *gives the argument 'plan"),
        ("python: nowhere:x", "hook_unusable hooks[0].python: *there is no module now"),
        ("python: nowhere", "invalid_function hooks[0].python: 'nowhere' names no func"),
        ("filter: none", "hook_unusable hooks[0].filter: no installed package has the"),
        ("native: ./no.so", "hook_unusable hooks[0].native: *no.so"),
        ("", "one_of hooks[0]: needs exactly one of filter, native, python; has none"),
        ("filter: x, python: M:plain", "one_of hooks[0]: needs exactly one"),
        ("python: M:plain, config: x", "key_not_allowed hooks[0].config: a hook that is"),
        ("python: M:plain, timeout: 2m", "invalid_duration hooks[0].timeout: that is no"),
        ("python: M:plain, timeout: 0s", "invalid_duration hooks[0].timeout: that is no"),
        ("python: M:plain, cache: {}", "missing_key hooks[0].cache: neither the documen"),
        ("python: M:plain, cache: {key: [shoe]}", "invalid_key hooks[0].cache.key[0]: no"),
        ("python: M:plain, cache: {ttl: 0s}", "invalid_duration hooks[0].cache.ttl: a"),
        ("python: M:plain, body: 1GiB", "limit_invalid hooks[0].body: 1073741824 is ou"),
        ("python: M:accepted, body: 1KiB", "hook_phase_unfit hooks[0].body: the body of"),
        ("python: M:plain, on_error: open", "invalid_choice hooks[0].on_error: must be"),
    ],
)
def test_a_hook_is_refused(house: House, keys: str, problem: str) -> None:
    code, _, words = problem.partition("*")
    problems = told(house(f"{{name: a, {keys}}}" if keys else "{name: a}"))
    assert problems
    assert all(line.startswith("8: ") for line in problems)
    assert any(line.startswith(f"8: {code}") and words in line for line in problems), problems


def test_what_a_filter_refuses_is_its_config(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "adopt", lambda keys: None)
    path = house("{name: a, filter: nobody, config: {keys: []}}", "{name: b, native: ./x.so}")
    paths = [line.split()[1:3] for line in told(path)]
    assert paths == [
        ["filter_unusable", "hooks[0].config:"],
        ["filter_unusable", "hooks[1].native:"],
    ]


def test_keys_of_functions_are_none_of_native_code(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "adopt", lambda keys: None)
    keys = "concurrency: 1, max_pending: 1, body: 1, cache: {key: [path]}"
    refused = [line for line in told(house(f"{{name: a, filter: x, {keys}}}")) if "not_all" in line]
    assert [line.split()[2].rpartition(".")[2] for line in refused] == [
        "concurrency:",
        "max_pending:",
        "body:",
        "cache:",
    ]


def test_names_are_known_and_single(house: House) -> None:
    path = house(
        "{name: plans, python: M:plain}",
        "{name: plans, python: M:plain}",
        listener="[plnas]",
        route="[plans, {name: plans, on_error: allow}, other]",
    )
    with pytest.raises(ConfigError) as refused:
        load(path)
    problems = [(it.code, it.path, it.hint) for it in refused.value.problems]
    assert problems == [
        ("unknown_hook", "listeners[0].hooks[0]", "did you mean 'plans'?"),
        ("duplicate_name", "listeners[0].routes[0].hooks[1]", "name it once"),
        ("unknown_hook", "listeners[0].routes[0].hooks[2]", "name it under hooks"),
        ("duplicate_name", "hooks[1].name", "names are single"),
    ]


def test_who_uses_a_broken_hook_is_not_at_fault(house: House) -> None:
    path = house(
        "{name: one, python: M:sync}",
        "{name: two, python: M:plain, timeot: 1s}",
        "{name: three, python: M:plain, on_error: maybe}",
        listener="[one, two]",
        route="[three, one]",
    )
    codes = [line.split()[1] for line in told(path)]
    assert codes == ["hook_unusable", "unknown_key", "invalid_choice"]


@pytest.mark.parametrize("protocol", ["tcp", "tls-passthrough"])
def test_bytes_have_connections_alone(house: House, protocol: str) -> None:
    hooks = ("{name: one, python: M:plain}", "{name: door, python: M:accepted}")
    bytes_alone = f"protocol: {protocol}\n    to: api"
    for listener, codes in (("[door]", []), ("[door, one]", ["hook_phase_unfit"])):
        path = house(*hooks, listener=listener)
        text = path.read_text().replace("routes: [{to: api, hooks: []}]", bytes_alone)
        path.write_text(text)
        assert [line.split()[1] for line in told(path)] == codes


def test_a_route_has_no_connections(house: House) -> None:
    problems = told(house("{name: door, python: M:accepted}", route="[door]"))
    assert [line.rpartition(": ")[0] for line in problems] == [
        "5: hook_phase_unfit listeners[0].routes[0].hooks"
    ]


def test_a_listener_of_a_mesh_has_hooks_for_all_of_its_routes(house: House) -> None:
    path = house("{name: one, python: M:plain}")
    mesh = path.read_text().replace("routes: [{to: api, hooks: []}]", "mesh: outbound")
    path.write_text(mesh.replace("hooks: []", "hooks: [one]"))
    service = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "api"},
        "spec": {"hosts": ["api"], "http": [{"route": [{"destination": {"host": "api"}}]}]},
    }
    with path.open("a") as file:
        file.write(f"---\n{json.dumps(service)}\n")
    examined = found(path)
    assert examined.prepared is not None, examined.problems
    listener = json.loads(examined.prepared.compiled.resources["Listener", "web"])
    assert (listener["hooks"], listener["route_table"]) == ([{"name": "one"}], "web")


def test_explain_lists_the_hooks_in_the_order_of_their_calls(house: House) -> None:
    path = house(
        "{name: one, python: M:declared, timeout: 30ms}",
        "{name: two, python: M:plain}",
        listener="[two]",
        route="[{name: one, on_error: deny}]",
    )
    asked = Asked.of("GET", "http://api/", (), None)
    engine = (extension.check, extension.explain)
    parts = explained(str(path), asked, "web", engine).parts
    hooks = [part for part in parts if part.kind == "hook"]
    assert [(part.name, part.place) for part in hooks] == [
        ("two", f"{path}:9"),
        ("one, on_error deny here", f"{path}:8"),
    ]
    said = {policy["key"]: (policy["value"], policy["place"]) for policy in hooks[1].policies}
    function = said["phase"][1]
    assert function.endswith(":declared")
    assert said["timeout"] == ("30ms", f"{path}:8")
    assert said["cache.ttl"] == ("5s", function)
    assert said["headers[0]"] == ("authorization", function)
    said = {policy["key"]: (policy["value"], policy["place"]) for policy in hooks[0].policies}
    assert said["timeout"] == ("100ms", "default")
    assert said["concurrency"] == ("64", "default")


def test_functions_of_the_embedding_program_are_hooks_too() -> None:
    config = Config.model_validate(
        {
            "listeners": [
                {"name": "web", "address": "127.0.0.1:0", "routes": [{"to": "api", "hooks": ["f"]}]}
            ],
            "clusters": [{"name": "api"}],
        }
    )
    with pytest.raises(ConfigError, match="there is no hook"):
        prepare(config)
    declared = Declared(headers=("a",), timeout=0.5)
    prepared = prepare(config, functions={"f": declared})
    assert wire(prepared, "f")["timeout_ms"] == 500
    assert prepared.compiled.hooks == {"f": PythonHook("")}


def test_a_change_of_hooks_is_compiled(house: House) -> None:
    first = prepare(load(house("{name: one, python: M:plain}")))
    slower = first.config.hooks[0].model_copy(update={"concurrency": 9})
    second = prepare(first.config.model_copy(update={"hooks": (slower,)}), first)
    assert second.compiled.hooks["one"].concurrency == 9
    third = prepare(second.config.with_endpoints("api", ("127.0.0.1:9",)), second)
    assert third.changed == [("Endpoints", "api")]
    assert third.compiled.hooks == second.compiled.hooks


def test_an_entry_point_gives_its_filter_when_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        value = "pack:filter"

        def __init__(self, loaded: object) -> None:
            self.loaded = loaded

        def load(self) -> object:
            return self.loaded

    adopted: list[tuple[str, object]] = []
    points = [Point(lambda: "capsule")]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: points)
    monkeypatch.setattr(extension, "adopt_filter", lambda *given: adopted.append(given))
    monkeypatch.setattr(filters, "_known", set())
    filters.adopt(["keys", "keys"])
    assert adopted == [("keys", "capsule")]
    points[0] = Point(None)
    with pytest.raises(HookError, match=r"pack:filter can't be had: TypeError"):
        filters.adopt(["other"])
