"""The lab's command: build, exec, up, shell, app, demo."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from lab import binaries, namespace


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lab", description="A real control plane on this machine, without Docker."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="make or find every program of the lab")
    build.add_argument("--only", nargs="+", default=[], metavar="NAME", help="recipes or programs")
    run = commands.add_parser("exec", help="run a command inside a new lab's network")
    run.add_argument("--no-build", action="store_true", help="do not look for the programs first")
    run.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    up = commands.add_parser("up", help="start everything and leave it running until Ctrl-C")
    up.add_argument("groups", nargs="*", help="parts beside the control plane; default: all, and the operator")
    demo = commands.add_parser("demo", help="release a good and a bad commit, and report what was seen")
    demo.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C")
    shell = commands.add_parser("shell", help="enter the newest lab that runs (or the one named by --state)")
    shell.add_argument("--state", type=Path, help="its folder, as `up` prints it")
    shell.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    app = commands.add_parser("app", help="write the demo's app as Git has it, to try releases by hand")
    app.add_argument("folder", type=Path, help="app/ in it is the app, flux.yaml is what Flux is told")
    app.add_argument("--version", default="v1")
    app.add_argument("--error-ratio", type=float, default=0.01)
    given = parser.parse_args(arguments)
    try:
        if given.command == "build":
            binaries.build_all(given.only)
            return 0
        if given.command == "exec":
            return _exec(_after_dashes(given.argv), build=not given.no_build)
        if given.command == "up":
            return _up(given.groups)
        if given.command == "app":
            return _app(given.folder, given.version, given.error_ratio)
        if given.command == "demo":
            return _demo(keep=given.keep)
        return _shell(given.state, _after_dashes(given.argv))
    except (binaries.BinaryMissing, namespace.NamespaceRefused) as error:
        print(f"[lab] {error}", file=sys.stderr)
        return 1


def _after_dashes(argv: list[str]) -> list[str]:
    return argv[1:] if argv[:1] == ["--"] else argv


def _exec(command: list[str], *, build: bool) -> int:
    if not command:
        print("[lab] exec needs a command: python -m lab exec -- COMMAND", file=sys.stderr)
        return 2
    if namespace.inside():
        os.execvp(command[0], command)
    if build:  # inside there is no network to build from
        binaries.build_all([], quiet=True)
    return namespace.run(command)


def _up(groups: list[str]) -> int:
    if not namespace.inside():
        return _exec([sys.executable, "-m", "lab", "up", *groups], build=True)
    from lab.cluster import GROUPS, Lab  # noqa: PLC0415 - only inside does the rest make sense
    from lab.parts.operator import Operator  # noqa: PLC0415

    started = time.monotonic()
    # TERM ends it as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), Lab.start(groups or tuple(GROUPS)) as lab:
        if not groups:
            lab.add(Operator(lab))
        print(f"[lab] ready after {time.monotonic() - started:.1f} s; its parts: {', '.join(lab.parts)}")
        print(describe(lab.folder, lab.kubeconfig_outside()), flush=True)
        while True:
            signal.pause()
    return 0


def _app(folder: Path, version: str, error_ratio: float) -> int:
    from lab.parts.git import URL  # noqa: PLC0415 - as below
    from lab.shop.files import App, flux_objects  # noqa: PLC0415

    files = App(version=version, error_ratio=error_ratio).files()
    for name, text in {**files, "flux.yaml": flux_objects("shop", f"{URL}/{folder.resolve().name}.git")}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    print(f"[lab] {folder}: {', '.join(sorted(files))}; and flux.yaml for `kubectl apply -f`")
    return 0


def _demo(*, keep: bool) -> int:
    from lab.demo.run import main as demo  # noqa: PLC0415 - it brings the rest of the lab along

    return demo(keep=keep)


def describe(folder: Path, kubeconfig: Path) -> str:
    """How to reach this lab from outside."""
    ports = namespace.outside_ports()
    return "\n".join(
        [
            f"  export KUBECONFIG={kubeconfig}",
            *(f"  {name + ':':12}http://127.0.0.1:{port}/" for name, port in ports.items() if name != "api"),
            f"  logs:       {folder / 'logs'}",
            f"  inside:     python -m lab shell --state {folder.parent}",
            "  Ctrl-C ends it.",
        ]
    )


def _shell(state: Path | None, command: list[str]) -> int:
    found = [(folder, pid) for folder, pid in namespace.running() if state in (None, folder)]
    if not found:
        print("[lab] no lab runs here; start one with: python -m lab up", file=sys.stderr)
        return 1
    folder, pid = found[0]
    user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
    # Entering a mount namespace leads to its root: a command's relative paths are meant from here.
    enter = ["nsenter", f"--target={pid}", *user, "--net", "--pid", "--mount", f"--wd={Path.cwd()}", "--"]
    environment = {
        **os.environ,
        namespace.STATE_VARIABLE: str(folder),
        "KUBECONFIG": str(folder / "lab" / "kubeconfig"),
        "PATH": f"{binaries.find('kubectl').parent}:{os.environ['PATH']}",
    }
    return subprocess.run(
        [*enter, *(command or [os.environ.get("SHELL", "/bin/sh")])], env=environment, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
