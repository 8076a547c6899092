"""`meshcore explain` says what the running engine does, request for request."""

import json
import random
from pathlib import Path

import pytest

from meshcore import extension
from meshcore.config.sources.asking import Answer, Asked, answers, listener_for
from meshcore.config.sources.examine import examine
from tests.support.proxy import Document, running
from tests.support.scale import scaled
from tests.support.wire import Wire, connect

SEED = 20_261_126
REQUESTS = scaled(10_000, 1_600)
ROUTES = 120
# Small vocabularies, so that rules overlap and requests meet several.
HOSTS = ["a.test", "b.test", "*.test", "*.b.test", "*"]
ASKED_HOSTS = ["a.test", "A.Test", "b.test:8080", "x.b.test", "y.x.b.test.", "other", "[::1]:80"]
WORDS = ["api", "API", "v1", "v2", "v", "x", "y", ""]
METHODS = ["GET", "POST", "DELETE"]
FIELDS = ["end-user", "x-forwarded-proto", "x-kind", "cookie"]
VALUES = ["jason", "jas", "json", "https", "", "a=1; b=2"]
PARAMETERS = ["q", "v", "empty"]


def condition(rng: random.Random, *, names: list[str] = VALUES) -> dict[str, object]:
    """A condition on one text."""
    kind = rng.choice(["exact", "prefix", "suffix", "contains", "regex", "present"])
    text = rng.choice([name for name in names if name])
    if kind == "present":
        return {"present": rng.random() < 0.7}
    return {kind: f"{text[:2]}.*" if kind == "regex" else text}


def path(rng: random.Random) -> str:
    """A path of a few words."""
    return "/" + "/".join(rng.choice(WORDS) for _ in range(rng.randrange(1, 4)))


def match(rng: random.Random) -> dict[str, object]:
    """A route's match; each part is there by chance."""
    found: dict[str, object] = {"host": rng.sample(HOSTS, rng.randrange(1, 3))}
    kind = rng.choice(["exact", "prefix", "string_prefix", "regex"])
    # A slash alone takes everything, and nothing after it would be reached.
    text = path(rng).rstrip("/") or "/api"
    found["path"] = {kind: f"{text}.*" if kind == "regex" else text}
    if kind != "regex" and rng.random() < 0.2:
        found["path"] = {kind: text, "ignore_case": True}
    if rng.random() < 0.4:
        found["method"] = rng.sample(METHODS, 1)
    if rng.random() < 0.4:
        found["headers"] = {rng.choice(FIELDS): condition(rng)}
    if rng.random() < 0.1:
        found["without_headers"] = {rng.choice(FIELDS): condition(rng)}
    if rng.random() < 0.2:
        found["query"] = {rng.choice(PARAMETERS): condition(rng, names=["1", "12"])}
    if rng.random() < 0.1:
        found["scheme"] = {"exact": rng.choice(["http", "https"])}
    if rng.random() < 0.1:
        found["authority"] = {"prefix": rng.choice(["a.", "b.test:"])}
    return found


def question(rng: random.Random) -> Asked:
    """A request that may meet some of them, or none, or be refused."""
    target = path(rng)
    if rng.random() < 0.2:
        target += rng.choice(["/../v1", "/%2e%2e/x", "//", "/%2F", "/.", "/%zz", ";a", "/a\\b"])
    if rng.random() < 0.4:
        asked = [f"{rng.choice(PARAMETERS)}={rng.choice(['1', '12', ''])}" for _ in range(2)]
        target += "?" + "&".join(asked)
    fields = [
        f"{rng.choice(FIELDS)}: {rng.choice(VALUES)}" for _ in range(rng.choice([0, 0, 1, 2, 3]))
    ]
    if rng.random() < 0.02:
        fields.append(rng.choice(["bad name: 1", "x_y: 1", "content-length: -1", "host: other"]))
    url = f"http://{rng.choice(ASKED_HOSTS)}{target}"
    return Asked.of(rng.choice([*METHODS, "get", "HEAD", "CONNECT"]), url, fields)


def document(rng: random.Random, order: str, hops: int) -> Document:
    """Routes that answer with their name."""

    def route(index: int) -> dict[str, object]:
        return {
            "name": f"r{index}",
            "match": match(rng),
            "direct_response": {"status": 200},
            "response_headers": {"set": {"x-route": "%ROUTE_NAME%"}},
        }

    web: dict[str, object] = {
        "name": "web",
        "address": "127.0.0.1:0",
        "route_order": order,
        "http": {"trusted_hops": hops},
        "routes": [route(index) for index in range(ROUTES)],
    }
    return {"admin": {"address": "127.0.0.1:0"}, "listeners": [web]}


async def live(wire: Wire, asked: Asked) -> tuple[str, bool]:
    """Which route answers, or the code of the proxy's own answer; and whether it was the last."""
    await wire.send(asked.head().encode())
    answer = await wire.response(asked.method)
    told = answer.value(b"x-route") or answer.error
    assert told is not None, answer
    return told.decode(), answer.value(b"connection") == b"close"


def told(answer: Answer) -> str:
    """The same, as `explain` has it."""
    if answer.error is None:
        assert answer.considered
        assert next(rule for rule in answer.considered if rule.route == answer.route).failed is None
    else:
        assert all(rule.failed is not None for rule in answer.considered)
    return answer.error or f"r{answer.route}"


@pytest.mark.parametrize(
    ("order", "hops"), [("specific", 0), ("document", 0), ("specific", 1), ("document", 1)]
)
async def test_explain_equals_the_running_engine(order: str, hops: int, tmp_path: Path) -> None:
    rng = random.Random(f"{SEED} {order} {hops}")
    config = document(rng, order, hops)
    (tmp_path / "asked.yaml").write_text(json.dumps(config))
    prepared = examine(str(tmp_path / "asked.yaml"), extension.check).or_refuse()
    asked = [question(rng) for _ in range(REQUESTS // 4)]
    at = [listener_for(prepared.config, each) for each in asked]
    said = answers(prepared, list(zip(at, asked, strict=True)), extension.explain)
    different: list[object] = []
    found: set[str] = set()
    async with running(tmp_path, config) as proxy:
        port = await proxy.port()
        wire = None
        for each, answer in zip(asked, said, strict=True):
            if wire is None:
                connection = connect(port)
                wire = await connection.__aenter__()
            got, last = await live(wire, each)
            if got != told(answer):
                different.append((each.head(), got, answer))
            found.add(got)
            if last:
                await connection.__aexit__(None, None, None)
                wire = None
        if wire is not None:
            await connection.__aexit__(None, None, None)
    assert different == []
    # It was not one answer to all: many rules won, and some requests got none.
    assert len(found) >= 15
    assert {"no_route", "bad_request"} <= found
