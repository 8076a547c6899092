"""Policies in Python: what a plan allows, and which cluster has the model that is asked for.

The filter `api_key` stands before them and has told whose key it is.
"""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import trio

import meshcore
from meshcore import Answer, Continue, RouteTo

Plans = Mapping[str, str]
PLANS = Path(__file__).parent / "plans.json"


@meshcore.lifespan
async def resources() -> AsyncIterator[dict[str, object]]:
    """What the functions get by the names of their arguments; anew with each reload."""
    yield {"plans": json.loads(await trio.Path(PLANS).read_text())}


# Fields are told as the client sent them: x-consumer could be its own word. What a hook before this
# one found out stands in the metadata, and depends on the key alone.
@meshcore.hook(cache=["header.x-api-key"], ttl=30.0)
async def by_plan(request: meshcore.Request, plans: Plans) -> Continue | Answer | RouteTo:
    """Who has paid more is served elsewhere; who has no plan isn't served."""
    plan = plans.get(request.metadata.get("consumer", b"").decode())
    if plan is None:
        return Answer(403, b'{"error": "no plan"}\n', {"content-type": "application/json"})
    if plan == "enterprise":
        return RouteTo("large", set={"x-plan": plan})
    return Continue(set={"x-plan": plan})


@meshcore.hook(body=64 * 1024)
async def by_model(request: meshcore.Request) -> Continue | Answer | RouteTo:
    """A JSON body names the model: the large one has a cluster of its own."""
    try:
        asked = json.loads(request.body or b"{}")
    except ValueError:
        return Answer(400, b'{"error": "not JSON"}\n', {"content-type": "application/json"})
    model = asked.get("model") if isinstance(asked, dict) else None
    return RouteTo("large") if model == "large" else Continue()
