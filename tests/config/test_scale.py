"""Ten thousand hosts with a cluster each: no step walks more than once over them."""

import time

from meshcore import loads
from meshcore.config.sources.prepare import prepare

HOSTS = 10_000
# A few times what it takes alone on a small machine; a step that is quadratic takes minutes.
PATIENCE = 20.0


def document() -> str:
    """As a user's program would write it."""
    routes = "".join(f"  - {{match: {{host: h{n}.example.com}}, to: c{n}}}\n" for n in range(HOSTS))
    clusters = "".join(f"- {{name: c{n}, endpoints: [127.0.0.1:9001]}}\n" for n in range(HOSTS))
    head = "listeners:\n- name: web\n  address: 127.0.0.1:0\n  routes:\n"
    return f"{head}{routes}clusters:\n{clusters}"


def test_a_large_document_is_compiled_in_seconds() -> None:
    start = time.monotonic()
    prepared = prepare(loads(document()))
    assert len(prepared.compiled.resources) == 2 * HOSTS + 2
    changed = prepare(prepared.config.with_endpoints("c7", ("127.0.0.1:1",)), prepared)
    assert changed.changed == [("Endpoints", "c7")]
    assert time.monotonic() - start < PATIENCE
