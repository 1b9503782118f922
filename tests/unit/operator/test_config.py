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


def test_a_misspelt_field_is_named(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("resyncSecond: 3")
    with pytest.raises(SpecInvalid, match=r"config\.yaml: resyncSecond"):
        load(file)


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
