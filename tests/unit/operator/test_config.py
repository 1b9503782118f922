from __future__ import annotations

import pytest

from canary.errors import SpecInvalid
from canary.git.credentials import BasicCredential
from canary.operator.config import Policies, load


def test_without_a_file_every_default_holds(monkeypatch):
    monkeypatch.setenv("POD_NAME", "canary-7")
    config = load(None)
    assert config.identity == "canary-7"
    assert config.address == ("0.0.0.0", 8080)
    assert config.sources() == ()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("resyncSecond: 3", "resyncSecond is not a field; did you mean resyncSeconds?"),
        (
            "metrics: {default: {prometheus: {uri: 'http://p'}}}",
            "metrics.default.prometheus.uri is not a field; did you mean url?",
        ),
        ("git: {bindings: [{name: b, namespaces: s}]}", "git.bindings[0].repositories is missing"),
        ("listen: everywhere", "listen: 'everywhere' does not fit. Host (empty: all) and port of /metrics"),
        ("metrics: {default: {prometheus: {url: 'p:9090'}}}", "url: 'p:9090' does not fit. Base address"),
        ("x:\na: [", ", line 2 is no YAML: expected the node content"),
        ("- a", "a mapping is wanted, not a list"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_the_mend(tmp_path, written, said):
    file = tmp_path / "config.yaml"
    file.write_text(written)
    with pytest.raises(SpecInvalid) as refused:
        load(file)
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"Configuration {file}")
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_told_once(tmp_path):
    with pytest.raises(
        SpecInvalid, match=r"^Configuration \S+/none\.yaml cannot be read: No such file or directory\.$"
    ):
        load(tmp_path / "none.yaml")


def test_a_flag_wins_over_the_file(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("listen: '127.0.0.1:1'\nworkers: 3")
    config = load(file, listen="127.0.0.1:2", workers=None)
    assert config.address == ("127.0.0.1", 2)
    assert config.file.workers == 3


@pytest.mark.parametrize("written", ["off", '"off"'])
def test_policies_off_is_understood_with_and_without_quotes(tmp_path, written):
    file = tmp_path / "config.yaml"
    file.write_text(f"policies: {written}")
    assert load(file).file.policies is Policies.OFF


def test_a_secret_is_read_when_it_is_used(tmp_path):
    secret, file = tmp_path / "token", tmp_path / "config.yaml"
    secret.write_text("old\n")
    file.write_text(
        "git: {bindings: [{name: b, namespaces: '*', repositories: 'https://git.example.org/', "
        f"username: u, passwordFile: {secret}}}]}}"
    )
    config = load(file)
    secret.write_text("new\n")
    credential = config.bindings().bindings[0].credential
    assert isinstance(credential, BasicCredential)
    assert credential.password == "new"
    assert "new" not in repr(credential)


def test_a_secret_that_is_not_there_is_told_at_the_start(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("metrics: {default: {prometheus: {url: 'http://p:9090', bearerTokenFile: /nowhere/token}}}")
    with pytest.raises(SpecInvalid, match="/nowhere/token"):
        load(file)
