from __future__ import annotations

import pytest

from canary.traffic.acceptance import in_force, problem


def _condition(kind, status="True", generation=4):
    return {"type": kind, "status": status, "observedGeneration": generation, "reason": "Because", "message": "why"}


def _parent(name="gw", *conditions, **ref):
    return {"parentRef": {"name": name, **ref}, "controllerName": "x", "conditions": list(conditions)}


GOOD = _condition("Accepted"), _condition("ResolvedRefs")


def _route(*parents, refs=({"name": "gw"},)):
    return {
        "metadata": {"name": "web", "namespace": "shop", "generation": 4},
        "spec": {"parentRefs": list(refs)},
        "status": {"parents": list(parents)},
    }


def test_a_route_that_its_gateway_accepted_is_in_force():
    route = _route(_parent("gw", *GOOD))
    assert in_force(route)
    assert problem(route) == ""


@pytest.mark.parametrize(
    "conditions",
    [
        (),
        (_condition("Accepted"),),
        (_condition("ResolvedRefs"),),
        (_condition("Accepted"), _condition("ResolvedRefs", generation=3)),
        (_condition("Accepted", generation=3), _condition("ResolvedRefs")),
    ],
    ids=["none", "not resolved", "not accepted", "resolved an older one", "accepted an older one"],
)
def test_a_generation_that_the_gateway_has_not_seen_is_not_in_force_and_no_problem(conditions):
    route = _route(_parent("gw", *conditions))
    assert not in_force(route)
    assert problem(route) == ""


def test_every_parent_must_serve_it():
    two = {"name": "gw"}, {"name": "gw2"}
    assert not in_force(_route(_parent("gw", *GOOD), refs=two))
    assert in_force(_route(_parent("gw", *GOOD), _parent("gw2", *GOOD), refs=two))


def test_listeners_and_namespaces_tell_parents_apart():
    refs = {"name": "gw", "sectionName": "a"}, {"name": "gw", "sectionName": "b", "namespace": "infra"}
    first, second = _parent("gw", *GOOD, sectionName="a", namespace="shop"), _parent("gw", *GOOD, sectionName="b")
    assert not in_force(_route(first, second, refs=refs))
    assert in_force(_route(first, _parent("gw", *GOOD, sectionName="b", namespace="infra"), refs=refs))


def test_what_the_gateway_says_against_it_is_told():
    route = _route(_parent("gw", _condition("Accepted"), _condition("ResolvedRefs", "False")))
    assert not in_force(route)
    assert problem(route) == "gateway gw does not serve HTTPRoute web: ResolvedRefs is False, Because: why"


def test_what_it_said_against_an_older_generation_is_no_problem():
    assert problem(_route(_parent("gw", _condition("Accepted", "False", generation=3)))) == ""


def test_a_parent_that_the_route_no_longer_names_does_not_count():
    stale = _parent("old", _condition("Accepted", "False"))
    route = _route(stale, _parent("gw", *GOOD))
    assert in_force(route)
    assert problem(route) == ""


def test_a_route_without_a_parent_is_a_problem():
    route = _route(refs=())
    assert not in_force(route)
    assert "names no parent" in problem(route)
