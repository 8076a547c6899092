"""What changed between two configurations, and the way between processes."""

import json

from hypothesis import given
from hypothesis import strategies as st

from meshcore.config.resources import Compiled, Key, complete, delta, pack, unpack

KEYS = st.tuples(
    st.sampled_from(["Listener", "RouteTable", "Cluster", "Endpoints"]), st.text("abc", min_size=1)
)
LISTS = {
    "listeners": "Listener",
    "route_tables": "RouteTable",
    "clusters": "Cluster",
    "endpoints": "Endpoints",
}
State = dict[Key, int]
STATES = st.dictionaries(KEYS, st.integers(0, 3), max_size=12)


def compiled(state: State) -> Compiled:
    made = Compiled()
    for (kind, name), value in state.items():
        made.credentials[f"{value}.pem"] = (b"certificate", b"key" if value else None)
        body = json.dumps({"name": name, "value": value}).encode()
        made.add((kind, name), body, (f"{value}.pem",))
    return made


def applied(state: State, body: bytes) -> State:
    """What an engine has after it took a delta."""
    found = json.loads(body)
    after = dict(state)
    for key, kind in LISTS.items():
        after |= {(kind, item["name"]): item["value"] for item in found.get(key, [])}
    for gone in found.get("remove", []):
        after.pop((gone["kind"], gone["name"]), None)
    return after


@given(STATES, STATES)
def test_a_delta_leads_from_any_state_to_any_other(old: State, new: State) -> None:
    sent = delta(compiled(old).digests, compiled(new))
    assert applied(old, sent.body) == new
    assert sent.empty == (old == new)


@given(STATES, STATES, STATES)
def test_all_of_it_is_right_whichever_state_there_is(one: State, other: State, new: State) -> None:
    sent = complete(compiled(new), {**one, **other})
    assert applied(one, sent.body) == new
    assert applied(other, sent.body) == new


@given(STATES, STATES)
def test_a_delta_brings_the_credentials_that_it_names(old: State, new: State) -> None:
    sent = delta(compiled(old).digests, compiled(new))
    changed = {value for key, value in new.items() if old.get(key) != value}
    assert {name for name, _, _ in sent.credentials} == {f"{value}.pem" for value in changed}


@given(STATES)
def test_a_configuration_survives_the_way_between_processes(state: State) -> None:
    before = compiled(state)
    after = unpack(pack(before))
    assert after.resources == before.resources
    assert after.digests == before.digests
    assert after.uses == before.uses
    assert after.credentials == before.credentials


def test_nothing_changed_is_an_empty_delta() -> None:
    assert delta({}, Compiled()).body == b"{}"
