from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from canary.traffic.shares import LARGEST, is_backend, percent_of, shared, unshared

weights = st.integers(0, 10_000)
percent = st.integers(0, 100)


def _root(ref):
    return is_backend(ref, "web", "shop")


def _ref(name, weight, **more):
    return {"name": name, "port": 80, "weight": weight, **more}


def _rules(root=weights, others=weights):
    return st.tuples(st.lists(root, min_size=1, max_size=2), st.lists(others, max_size=3)).map(
        lambda drawn: [
            *(_ref("web", w, port=80 + i) for i, w in enumerate(drawn[0])),
            *(_ref(f"other{i}", w) for i, w in enumerate(drawn[1])),
        ]
    )


@given(_rules(), percent, percent)
def test_taking_it_back_gives_gits_own_backends_exactly(refs, first, second):
    once = shared(refs, _root, "web-canary", first)
    twice = shared(once, _root, "web-canary", second)
    assert unshared(twice, _root, "web-canary") == refs


@given(_rules(root=st.integers(1, 10_000)), percent, percent)
def test_the_percentage_is_exact_and_does_not_depend_on_what_was_before(refs, first, second):
    once = shared(refs, _root, "web-canary", first)
    twice = shared(once, _root, "web-canary", second)
    assert percent_of(twice, _root, "web-canary") == second
    assert twice == shared(refs, _root, "web-canary", second)


@given(_rules(), percent)
def test_other_backends_keep_their_part_of_the_rule(refs, weight):
    def parts(rows):
        total = sum(r["weight"] for r in rows)
        return [r["weight"] / total for r in rows if r["name"].startswith("other")] if total else []

    assert parts(shared(refs, _root, "web-canary", weight)) == parts(refs)


@given(_rules(root=st.integers(0, LARGEST), others=st.integers(0, LARGEST)), percent)
def test_weights_are_never_negative_nor_larger_than_the_gateway_takes(refs, weight):
    assert all(0 <= r["weight"] <= LARGEST for r in shared(refs, _root, "web-canary", weight))


def test_the_example_of_the_design():
    refs = [_ref("web", 80), _ref("other", 20)]
    assert [r["weight"] for r in shared(refs, _root, "web-canary", 10)] == [7200, 2000, 800]


def test_the_canary_is_a_copy_of_the_services_entry():
    refs = [_ref("web", 1, filters=[{"type": "X"}], namespace="shop")]
    assert shared(refs, _root, "web-canary", 10)[1] == {**refs[0], "name": "web-canary", "weight": 10}


def test_a_rule_that_does_not_name_the_service_is_left_alone():
    for refs in ([], [_ref("other", 1)], [_ref("web", 1, namespace="elsewhere")], [_ref("web", 1, kind="Other")]):
        assert shared(refs, _root, "web-canary", 50) == refs
        assert unshared(refs, _root, "web-canary") == refs
        assert percent_of(refs, _root, "web-canary") is None


def test_the_arguments_are_not_changed():
    refs = [_ref("web", 1)]
    shared(refs, _root, "web-canary", 50)
    assert refs == [_ref("web", 1)]


def test_a_weight_that_somebody_wrote_into_a_scaled_rule_does_not_vanish():
    scaled = [*shared([_ref("web", 1)], _root, "web-canary", 10), _ref("new", 1)]
    assert [(r["name"], r["weight"]) for r in unshared(scaled, _root, "web-canary")] == [("web", 1), ("new", 1)]
