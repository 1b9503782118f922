"""`python -m canary.operator --config FILE`: the operator alone; `canary run` has all the options."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from canary.errors import CanaryError
from canary.operator.config import load
from canary.operator.run import run

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m canary.operator")
    parser.add_argument("--config", type=Path)
    try:
        run(load(parser.parse_args().config))
    except CanaryError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
