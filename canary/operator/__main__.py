"""`python -m canary.operator [CONFIG]`: the operator alone; `canary run` has the options."""

from __future__ import annotations

import sys
from pathlib import Path

from canary.errors import CanaryError
from canary.operator.config import load
from canary.operator.run import run

if __name__ == "__main__":
    try:
        run(load(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
    except CanaryError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
