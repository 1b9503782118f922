"""What holds for every command: start-up, errors, options, completion."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import yaml

from canary import __version__
from canary.cli import exits
from canary.cli.main import app
from canary.cli.session import Session
from canary.errors import ApiUnavailable, CanaryError
from tests.unit.cli import samples
from tests.unit.cli.conftest import Canary
from tests.unit.cli.fake import FakeCluster

HEAVY = {
    "aiohttp",
    "canary.api.rollout",
    "canary.operator",
    "httpx",
    "kopf",
    "kubernetes",
    "numpy",
    "prometheus_api_client",
    "requests",
    "structlog",
    "yaml",
}
"""What takes long to import, and help, version and usage errors do without."""


@pytest.mark.parametrize("arguments", [["--help"], ["version", "-o", "json"], ["watch", "--help"], ["stauts"]])
def test_what_needs_no_cluster_imports_nothing_heavy(arguments):
    code = (
        "import json, sys\n"
        "from canary.cli.main import app\n"
        f"app({arguments!r}, standalone_mode=False)\n"
        "print(json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "typer" in loaded
    assert loaded & HEAVY == set()


def test_version_is_that_of_the_package(canary: Canary):
    assert canary("version").stdout == canary("--version").stdout == f"canary {__version__}\n"
    assert json.loads(canary("version", "-o", "json").stdout)["clientVersion"]["version"] == __version__


def test_crds_are_one_stream_that_kubectl_reads(canary: Canary):
    kinds = [document["kind"] for document in yaml.safe_load_all(canary("crds").stdout) if document]
    assert kinds == ["CustomResourceDefinition"] * 3


def test_without_a_command_help_is_shown(canary: Canary):
    result = canary()
    assert result.exit_code == 0
    assert "Progressive delivery" in result.stdout
    assert canary("-h").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["stauts"], "did you mean 'status'?"),
        (["status"], "missing argument 'NAME'"),
        (["get", "--outptu", "json"], "no such option: --outptu"),
        (["get", "-o", "xml"], "invalid value for '--output' / '-o': 'xml' is not one of"),
        (["get", "-A", "checkout"], "names belong to one namespace"),
    ],
    ids=["command", "argument", "option", "choice", "names"],
)
def test_a_mistake_in_the_command_line_is_one_sentence_and_exit_code_2(arguments, words, canary: Canary):
    result = canary(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_options_of_the_cluster_stand_before_or_after_the_command(canary: Canary, cluster: FakeCluster):
    cluster.put(samples.stable("web", "infra"))
    for arguments in (["-n", "infra", "get"], ["get", "-n", "infra"], ["-n", "other", "get", "--namespace=infra"]):
        assert "web" in canary(*arguments, "--context", "prod").stdout
        assert cluster.targets[-1].namespace == "infra"
        assert cluster.targets[-1].context == "prod"


def test_an_error_that_nobody_foresaw_is_a_sentence_and_with_debug_a_traceback(canary: Canary, cluster: FakeCluster):
    cluster.documents["shop", "checkout"] = {"metadata": 7}
    result = canary("status", "checkout")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: unexpected ")
    assert "Traceback" not in result.stderr
    assert "Traceback" in canary("status", "checkout", "--debug").stderr
    assert "Traceback" in canary("status", "checkout", CANARY_DEBUG="1").stderr


def test_ctrl_c_ends_quietly_with_130(canary: Canary, cluster: FakeCluster):
    def interrupt() -> None:
        raise KeyboardInterrupt

    cluster.put(samples.in_step())
    cluster.script = [interrupt]
    result = canary("watch", "checkout")
    assert (result.exit_code, result.stderr) == (130, "")


def test_every_error_of_canary_has_an_exit_code_of_the_table():
    def tree(kind: type[CanaryError]) -> set[type[CanaryError]]:
        return {kind}.union(*(tree(child) for child in kind.__subclasses__()))

    assert {exits.Exit(kind.exit_code) for kind in tree(CanaryError)} <= set(exits.MEANINGS)
    assert set(exits.MEANINGS) == set(exits.Exit)


def test_names_are_completed_with_their_phase(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, capsys):
    cluster.put(samples.in_step())
    cluster.put(samples.stable("basket"))
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "canary status che")
    monkeypatch.setenv("_CANARY_COMPLETE", "complete_zsh")
    with pytest.raises(SystemExit):
        app(prog_name="canary", obj=Session(connect=cluster.connect))
    said = capsys.readouterr().out
    assert "checkout" in said
    assert "Step" in said
    assert "basket" not in said


def test_completion_is_silent_when_the_cluster_is_away(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, capsys):
    cluster.fails_with = ApiUnavailable("away")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "canary status che")
    monkeypatch.setenv("_CANARY_COMPLETE", "complete_bash")
    with pytest.raises(SystemExit):
        app(prog_name="canary", obj=Session(connect=cluster.connect))
    assert "away" not in capsys.readouterr().out
