"""docs/cli.md is the commands' help, and its examples are understood."""

from __future__ import annotations

import shlex

from typer.main import get_command

from canary.cli.main import app
from canary.cli.reference import DOCUMENT, EXAMPLES, main, render


def test_the_document_is_the_help():
    assert DOCUMENT.read_text(encoding="utf-8") == render(), "run `python -m canary.cli.reference`"


def test_check_fails_when_the_document_differs(tmp_path, monkeypatch, capsys):
    assert main(["--check"]) == 0
    monkeypatch.chdir(tmp_path)
    assert main(["--check"]) == 1
    assert "differs" in capsys.readouterr().err
    (tmp_path / "docs").mkdir()
    assert main([]) == main(["--check"]) == 0


def test_every_command_has_an_example_that_names_it_with_options_that_it_has():
    commands = get_command(app).commands  # type: ignore[attr-defined]  # a group has them
    assert list(EXAMPLES) == list(commands)
    for name, example in EXAMPLES.items():
        words = shlex.split(example.partition("|")[0].replace("$(git rev-parse HEAD)", "HEAD"))
        assert words[:2] == ["canary", name]
        known = {option for p in commands[name].params for option in p.opts}
        assert {word for word in words[2:] if word.startswith("-")} <= known


def test_every_command_and_option_says_what_it_is_for():
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]  # a group has them
        assert command.help, name
        for parameter in command.params:
            assert parameter.help, f"{name} {parameter.name}"
            assert parameter.is_flag or parameter.metavar if parameter.param_type_name == "option" else True
