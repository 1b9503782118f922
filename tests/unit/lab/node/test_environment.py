"""A container's environment and command line."""

import base64

import pytest

from lab.node.environment import ContainerConfigError, argv, build, needed_sources

POD = {
    "metadata": {"name": "p", "namespace": "shop", "uid": "u", "labels": {"app.kubernetes.io/name": "cart"}},
    "spec": {"nodeName": "n1"},
}
ADDRESSES = {"podIP": "10.244.1.7", "hostIP": "10.244.0.1"}


def env(*entries, sources=None, **container):
    return build({"env": list(entries)} | container, POD, ADDRESSES, sources or {})


def field(path):
    return {"name": "X", "valueFrom": {"fieldRef": {"fieldPath": path}}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "p"),
        ("metadata.namespace", "shop"),
        ("status.podIP", "10.244.1.7"),
        ("metadata.labels['app.kubernetes.io/name']", "cart"),
        ("metadata.annotations['none']", ""),
        ("spec.nodeName", "n1"),
    ],
)
def test_the_downward_api_gives_the_pods_fields(path, value):
    assert env(field(path)) == {"X": value}


def test_a_field_that_is_not_served_is_refused():
    with pytest.raises(ContainerConfigError, match=r"spec\.hostname"):
        env(field("spec.hostname"))


def test_a_value_may_refer_to_earlier_variables_and_dollars_can_be_kept():
    entries = ({"name": "A", "value": "1"}, {"name": "B", "value": "$(A)$$(A)$(NONE)"})
    assert env(*entries)["B"] == "1$(A)$(NONE)"


def test_config_maps_and_secrets_are_read_by_key_and_as_a_whole():
    key = {"name": "K", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}
    secret = {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    container = {"env": [key, secret], "envFrom": [{"prefix": "P_", "configMapRef": {"name": "c"}}]}
    sources = {
        ("ConfigMap", "c"): {"data": {"k": "v"}},
        ("Secret", "s"): {"data": {"k": base64.b64encode(b"hidden").decode()}},
    }
    assert needed_sources(container) == set(sources)
    assert build(container, POD, ADDRESSES, sources) == {"P_k": "v", "K": "v", "S": "hidden"}


@pytest.mark.parametrize("source", [None, {"data": {}}])
def test_a_missing_source_or_key_is_an_error_unless_it_is_optional(source):
    reference = {"name": "c", "key": "k"}
    sources = {("ConfigMap", "c"): source}
    with pytest.raises(ContainerConfigError, match="c"):
        env({"name": "K", "valueFrom": {"configMapKeyRef": reference}}, sources=sources)
    optional = {"name": "K", "valueFrom": {"configMapKeyRef": reference | {"optional": True}}}
    assert env(optional, sources=sources) == {}


def test_command_replaces_the_program_and_args_follow_either():
    assert argv({"args": ["$(A)"]}, "/bin/app", {"A": "1"}) == ["/bin/app", "1"]
    assert argv({"command": ["sh", "-c"], "args": ["x"]}, "/bin/app", {}) == ["sh", "-c", "x"]
