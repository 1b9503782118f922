"""Room on the node."""

from decimal import Decimal

import pytest

from lab.node.scheduling import MAX_PODS_ANNOTATION, Room, quantity, request_of, room_of, why_not

NODE = {"metadata": {"labels": {"zone": "a"}}, "spec": {}}
ROOM = Room(Decimal(2), quantity("1Gi"), 2)
SMALL = Room(Decimal(0), Decimal(0))


def pod(cpu="0", memory="0", **spec):
    return {"spec": {"containers": [{"resources": {"requests": {"cpu": cpu, "memory": memory}}}], **spec}}


@pytest.mark.parametrize(("text", "number"), [("100m", "0.1"), ("2", "2"), ("1Gi", "1073741824"), ("1.5k", "1500")])
def test_quantities(text, number):
    assert quantity(text) == Decimal(number)


def test_what_is_no_quantity_is_refused():
    with pytest.raises(ValueError, match="1Xi"):
        quantity("1Xi")


def test_the_last_free_place_is_given_and_no_more():
    assert why_not(pod(), NODE, ROOM, [SMALL]) is None
    assert why_not(pod(), NODE, ROOM, [SMALL, SMALL]) == "0/1 nodes are available: 1 Too many pods."


def test_requests_add_up():
    assert why_not(pod(cpu="1500m"), NODE, ROOM, [request_of(pod(cpu="500m"))]) is None
    assert "Insufficient cpu" in str(why_not(pod(cpu="1501m"), NODE, ROOM, [request_of(pod(cpu="500m"))]))
    assert "Insufficient memory" in str(why_not(pod(memory="2Gi"), NODE, ROOM, []))


def test_selectors_and_cordons_are_obeyed():
    assert why_not(pod(nodeSelector={"zone": "a"}), NODE, ROOM, []) is None
    assert "selector" in str(why_not(pod(nodeSelector={"zone": "b"}), NODE, ROOM, []))
    assert "unschedulable" in str(why_not(pod(), NODE | {"spec": {"unschedulable": True}}, ROOM, []))


def test_the_nodes_annotation_caps_its_pods_and_nonsense_does_not():
    def capped(text):
        return room_of({"metadata": {"annotations": {MAX_PODS_ANNOTATION: text}}}, ROOM).pods

    assert [capped("0"), capped("7"), capped("many"), capped("-1")] == [0, 7, 2, 2]
