"""`python -m canary.server`: the operator with its pages, as `canary run` starts it."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from canary.errors import CanaryError
from canary.operator.config import load
from canary.operator.run import run
from canary.server.http import serve


def main() -> int:
    """Run the operator; return the exit code."""
    parser = argparse.ArgumentParser(prog="canary run", description="Run the operator.")
    parser.add_argument("--config", type=Path, help="configuration file (YAML)")
    parser.add_argument("--kubeconfig", type=Path)
    parser.add_argument("--context")
    parser.add_argument("--identity", help="who this process is in the Lease; stable for one container")
    parser.add_argument("--namespace", help="namespace of the Lease")
    parser.add_argument("--listen", help="host:port of /metrics, /healthz and /readyz")
    parser.add_argument("--log-level", dest="log_level")
    given = vars(parser.parse_args())
    path = given.pop("config")
    try:
        asyncio.run(run(load(path, **given), serve=serve))
    except CanaryError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
