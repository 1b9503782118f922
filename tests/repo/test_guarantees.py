"""docs/guarantees.md names tests: each of them exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "guarantees.md").read_text()
FILES = sorted(set(re.findall(r"`(tests/[\w/]+\.py)`", TEXT)))
TESTS = sorted(set(re.findall(r"`(test_\w+)`", TEXT)))


def test_every_file_of_tests_that_is_named_exists() -> None:
    assert [file for file in FILES if not (ROOT / file).is_file()] == []


def test_every_test_that_is_named_exists_in_one_of_the_files_that_are_named() -> None:
    told = "\n".join((ROOT / file).read_text() for file in FILES)
    assert [name for name in TESTS if f"def {name}(" not in told] == []


def test_every_row_of_a_table_of_promises_names_a_test_or_the_one_above_it() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
    assert len(rows) > 20
    assert [row for row in rows if "`tests/" not in row and "the same" not in row and "`test_" not in row] == []
