"""Istio's own documents, served by the real engine: who answers is what Istio's rules say."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.certificates import Authority
from tests.support.proxy import Proxy, running_path
from tests.support.scale import scaled
from tests.support.upstream import Upstream, answering
from tests.support.wire import Message, connect

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "bookinfo"
LISTENERS = """\
admin: {address: "127.0.0.1:0"}
listeners:
- {name: outbound, address: "127.0.0.1:0", mesh: outbound, labels: {app: productpage}}
- name: ingress
  address: 127.0.0.1:0
  mesh: {traffic: gateway, port: 8080}
  labels: {istio: ingressgateway}
"""
# The ports of the sample, by who stands there.
PORTS = {
    "productpage": 9080,
    "details": 9081,
    "ratings": 9082,
    "reviews-v1": 9083,
    "reviews-v2": 9084,
    "reviews-v3": 9085,
}


@dataclass
class Shop:
    """The sample's services, and a proxy before them."""

    folder: Path
    servers: dict[str, Upstream]
    proxy: Proxy
    outbound: int
    ingress: int

    async def ask(self, port: int, host: str, target: str, *fields: str) -> Message:
        """One answer, on a connection of its own: some answers end theirs."""
        lines = [f"GET {target} HTTP/1.1", f"Host: {host}", *fields, "", ""]
        async with connect(port) as wire:
            await wire.send("\r\n".join(lines).encode())
            return await wire.response()

    async def who(self, host: str, target: str = "/", *fields: str) -> str:
        """Who answers a workload's request."""
        answer = await self.ask(self.outbound, host, target, *fields)
        return answer.body.decode() if answer.status == 200 else str(answer.status)

    async def use(self, text: str) -> None:
        """Replace the rules and wait until they are in force."""
        before = await self.proxy.generation()
        beside = self.folder / "rules.new"
        beside.write_text(text)
        beside.rename(self.folder / "rules.yaml")
        await self.proxy.becomes(before + 1)


def moved(text: str, servers: dict[str, Upstream]) -> str:
    """A document with the servers' own ports in place of the sample's."""
    for name, port in PORTS.items():
        text = text.replace(f"{{http: {port}}}", f"{{http: {servers[name].port}}}")
    return text


@asynccontextmanager
async def shop(tmp_path: Path, *rules: str) -> AsyncIterator[Shop]:
    """The sample's mesh with these rules of its `networking/`."""
    folder = tmp_path / "mesh"
    folder.mkdir()
    async with AsyncExitStack() as stack:
        servers = {name: await stack.enter_async_context(answering(name)) for name in PORTS}
        for path in (SAMPLE / "mesh").glob("*.yaml"):
            (folder / path.name).write_text(moved(path.read_text(), servers))
        (folder / "listeners.yaml").write_text(LISTENERS)
        texts = [(SAMPLE / "networking" / f"{rule}.yaml").read_text() for rule in rules]
        (folder / "rules.yaml").write_text("\n---\n".join(texts))
        proxy = await stack.enter_async_context(running_path(tmp_path, folder))
        ports = await proxy.port("outbound"), await proxy.port("ingress")
        yield Shop(folder, servers, proxy, *ports)


async def test_requests_go_where_their_rules_say(tmp_path: Path) -> None:
    async with shop(tmp_path, "reviews-jason") as mesh:
        jason = "end-user: jason"
        assert await mesh.who("reviews") == "reviews-v1"
        assert await mesh.who("reviews:9080", "/reviews/1", jason) == "reviews-v2"
        assert await mesh.who("reviews.default.svc.cluster.local", "/", jason) == "reviews-v2"
        assert await mesh.who("reviews.default", "/", "end-user: anna") == "reviews-v1"
        assert await mesh.who("ratings") == "ratings"
        assert await mesh.who("nobody") == "404"


async def test_shares_of_subsets_follow_the_weights(tmp_path: Path) -> None:
    count = scaled(10_000, 400)
    async with shop(tmp_path, "reviews-80-20") as mesh:
        found = Counter([await mesh.who("reviews") for _ in range(count)])
    assert set(found) == {"reviews-v1", "reviews-v2"}
    # Five standard deviations of a binomial share.
    assert abs(found["reviews-v2"] / count - 0.2) < 5 * (0.2 * 0.8 / count) ** 0.5


async def test_a_gateway_lets_in_what_its_virtual_service_names(tmp_path: Path) -> None:
    async with shop(tmp_path, "all-v1") as mesh:
        answers = {
            target: (await mesh.ask(mesh.ingress, "shop.example.com", target)).status
            for target in ("/productpage", "/static/x.css", "/api/v1/products/7", "/reviews/1", "/")
        }
        assert answers == {
            "/productpage": 200,
            "/static/x.css": 200,
            "/api/v1/products/7": 200,
            "/reviews/1": 404,
            "/": 404,
        }
        assert len(mesh.servers["productpage"].requests) == 3


async def test_rules_change_while_requests_run(tmp_path: Path) -> None:
    async with shop(tmp_path, "all-v1") as mesh:
        assert await mesh.who("reviews") == "reviews-v1"
        await mesh.use((SAMPLE / "networking" / "reviews-jason.yaml").read_text())
        assert await mesh.who("reviews", "/", "end-user: jason") == "reviews-v2"
        # What is refused changes nothing.
        wrong = "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
        (mesh.folder / "rules.yaml").write_text(wrong)
        await mesh.proxy.says("is missing")
        assert await mesh.who("reviews", "/", "end-user: jason") == "reviews-v2"


RULES = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - match: [{uri: {prefix: /v2}, method: {regex: "GET|HEAD"}}]
    rewrite: {uri: /reviews, authority: reviews.internal}
    headers: {request: {set: {x-tried: v2}, remove: [x-secret]}, response: {add: {x-served: by-v2}}}
    route: [{destination: {host: reviews, subset: v2}}]
  - match: [{uri: {exact: /Old}, ignoreUriCase: true}]
    redirect: {uri: /new, authority: www.example.com, redirectCode: 308}
  - match: [{queryParams: {tea: {}}}]
    directResponse: {status: 418, body: {string: teapot}}
  - match: [{withoutHeaders: {x-user: {}}, uri: {prefix: /private}}]
    directResponse: {status: 401}
  - match: [{uri: {regex: "/r[0-9]+"}}]
    rewrite: {uriRegexRewrite: {match: "^/r([0-9]+)$", rewrite: '/review/\\1'}}
    route: [{destination: {host: reviews, subset: v3}}]
  - match: [{uri: {prefix: /private}}]
    route: [{destination: {host: reviews, subset: v1}}]
"""


async def test_actions_do_what_istio_says(tmp_path: Path) -> None:
    async with shop(tmp_path, "all-v1") as mesh:
        await mesh.use(RULES)
        answer = await mesh.ask(mesh.outbound, "reviews", "/v2x?a=1", "x-secret: 1")
        assert (answer.status, answer.body) == (200, b"reviews-v2")
        assert answer.value(b"x-served") == b"by-v2"
        seen = mesh.servers["reviews-v2"].requests[-1]
        # A prefix is mere text, and so is what replaces it.
        assert seen.target == b"/reviewsx?a=1"
        assert (seen.value(b"host"), seen.value(b"x-tried")) == (b"reviews.internal", b"v2")
        assert seen.value(b"x-secret") is None
        answer = await mesh.ask(mesh.outbound, "reviews", "/oLD")
        assert (answer.status, answer.value(b"location")) == (308, b"http://www.example.com/new")
        answer = await mesh.ask(mesh.outbound, "reviews", "/x?tea=0")
        assert (answer.status, answer.body) == (418, b"teapot")
        assert await mesh.who("reviews", "/private/1") == "401"
        assert await mesh.who("reviews", "/private/1", "x-user: a") == "reviews-v1"
        assert await mesh.who("reviews", "/r42") == "reviews-v3"
        assert mesh.servers["reviews-v3"].requests[-1].target == b"/review/42"
        # No rule takes it, and no other host's rules are tried.
        assert await mesh.who("reviews", "/nothing") == "404"


async def test_a_subset_that_does_not_exist_answers_503(tmp_path: Path) -> None:
    rules = (SAMPLE / "networking" / "all-v1.yaml").read_text().replace("subset: v1", "subset: v9")
    async with shop(tmp_path, "all-v1") as mesh:
        await mesh.use(rules)
        assert await mesh.who("reviews") == "503"
        assert await mesh.who("details") == "details"


GATEWAY = """\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: secure}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 443, name: https, protocol: HTTPS}
    hosts: [localhost]
    tls: {mode: SIMPLE, serverCertificate: CERTIFICATE, privateKey: KEY}
  - port: {number: 8080, name: old, protocol: HTTP}
    hosts: [localhost]
    tls: {httpsRedirect: true}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: secure}
spec:
  hosts: [localhost]
  gateways: [secure]
  http:
  - match: [{uri: {prefix: /reviews/}}]
    route: [{destination: {host: reviews, subset: v3}}]
"""


async def test_a_gateway_ends_tls_with_its_own_files(tmp_path: Path, authority: Authority) -> None:
    pair = authority.pair("localhost")
    text = GATEWAY.replace("CERTIFICATE", str(pair.certificate)).replace("KEY", str(pair.key))
    listener = """\
listeners:
- name: secure
  address: 127.0.0.1:0
  mesh: {traffic: gateway, port: 443}
  labels: {istio: ingressgateway}
---
"""
    async with shop(tmp_path, "all-v1") as mesh:
        await mesh.use(listener + text)
        port = await mesh.proxy.port("secure")
        async with connect(port, authority.client()) as wire:
            await wire.send(b"GET /reviews/1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await wire.response()).body == b"reviews-v3"
        answer = await mesh.ask(mesh.ingress, "localhost", "/reviews/1")
        assert (answer.status, answer.value(b"location")) == (301, b"https://localhost/reviews/1")


STREAMS = """\
listeners:
- {name: db, address: "127.0.0.1:0", protocol: tcp, mesh: {traffic: outbound, port: 5432}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: db}
spec:
  hosts: [db.example.com]
  addresses: [10.0.0.9]
  ports: [{number: 5432, name: tcp, protocol: TCP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1, ports: {tcp: PORT}}]
"""


async def test_a_tcp_service_is_reached_by_its_port(tmp_path: Path) -> None:
    async with shop(tmp_path, "all-v1") as mesh:
        await mesh.use(STREAMS.replace("PORT", str(mesh.servers["details"].port)))
        async with connect(await mesh.proxy.port("db")) as wire:
            await wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await wire.response()).body == b"details"
