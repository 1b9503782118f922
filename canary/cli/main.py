"""The `canary` command: its subcommands, and the one place where errors become a sentence and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup
from typing_extensions import override

from canary import __version__
from canary.cli.abort import abort
from canary.cli.analyze import analyze
from canary.cli.approve import approve
from canary.cli.backtest import backtest
from canary.cli.cluster import Target
from canary.cli.crds import crds
from canary.cli.exits import Exit
from canary.cli.get import get
from canary.cli.lint import lint
from canary.cli.options import Context, Kubeconfig, Namespace
from canary.cli.pause import pause
from canary.cli.promote import promote
from canary.cli.resume import resume
from canary.cli.retry import retry
from canary.cli.run import run
from canary.cli.session import Session
from canary.cli.simulate import simulate
from canary.cli.status import status
from canary.cli.version import version
from canary.cli.watch import watch
from canary.cli.why import why
from canary.errors import CanaryError

DEBUG: Final = "--debug"


class OneSentence(TyperGroup):
    """Commands whose every failure is one sentence on standard error and the exit code of `exits.py`."""

    @override
    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and end the process as scripts expect; `--debug` may stand anywhere."""
        given = list(sys.argv[1:] if args is None else args)
        debug = DEBUG in given or os.environ.get("CANARY_DEBUG", "") not in {"", "0"}
        given = [argument for argument in given if argument != DEBUG]
        try:
            code = super().main(
                given, prog_name, complete_var, standalone_mode=False, windows_expand_args=windows_expand_args, **extra
            )
        except CanaryError as error:
            code = _fail(str(error), error.exit_code, debug=debug)
        except typer.TyperException as error:
            code = _fail(_usage(error.format_message()), error.exit_code, debug=False)
        except typer.Abort:
            code = _fail("not confirmed; nothing was done", Exit.ERROR, debug=False)
        except Exception as error:  # noqa: BLE001 -- the last place: a person gets a sentence, --debug the traceback
            what = str(error).strip().partition("\n")[0] or "no text"
            code = _fail(f"unexpected {type(error).__name__}: {what} (--debug shows where)", Exit.ERROR, debug=debug)
        if standalone_mode:
            sys.exit(code or Exit.OK)
        return code


def _fail(sentence: str, code: int, *, debug: bool) -> int:
    to = Console(stderr=True, highlight=False, soft_wrap=True)
    if debug:
        to.print_exception()
    to.print(Text.assemble(("error:", "bold red"), f" {sentence.rstrip('.')}"))
    return code


def _usage(message: str) -> str:
    """Say a mistake in the command line as the other errors are said.

    >>> _usage("No such command 'stauts'. Did you mean 'status'?")
    "no such command 'stauts'; did you mean 'status'?"
    """
    said = message.replace("Value error, ", "")  # pydantic's, by which typer checks
    return (said[:1].lower() + said[1:]).replace(". Did you", "; did you")


app = typer.Typer(
    cls=OneSentence,
    name="canary",
    help="Progressive delivery for Kubernetes that reverts the Git commit of a bad release.",
    epilog="Exit codes: docs/cli.md has the table. `--debug`, anywhere, shows the traceback of an error.",
    invoke_without_command=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:  # noqa: FBT001 -- typer's signature of a callback
    if asked:
        typer.echo(f"canary {__version__}")
        raise typer.Exit


@app.callback()
def start(
    ctx: typer.Context,
    _version_asked: Annotated[  # noqa: FBT002 -- typer's way to declare a flag
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Keep the options that stand before the command's name; without a command, help."""
    session = ctx.ensure_object(Session)
    session.target = Target(kubeconfig, context, namespace)
    if ctx.invoked_subcommand is None:
        ctx.get_help()  # typer prints it


for _panel, _commands in {
    "Look": (get, status, watch, why),
    "Act": (approve, pause, resume, promote, abort, retry),
    "Without a cluster": (lint, simulate, analyze, backtest),
    "Operate": (run, crds, version),
}.items():
    for _command in _commands:
        app.command(rich_help_panel=_panel)(_command)


def main() -> None:
    """Entry point of the package."""
    app(prog_name="canary")
