"""Where the operator finds its cluster, and what it says when there is none."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from canary.errors import SpecInvalid
from canary.operator.connection import load_configuration


async def test_a_kubeconfig_that_does_not_exist_is_said_in_one_sentence(tmp_path: Path, caplog):
    with caplog.at_level(logging.INFO), pytest.raises(SpecInvalid, match=r"kubeconfig \S+/none does not exist\.$"):
        await load_configuration(tmp_path / "none")
    assert not caplog.records


@pytest.mark.parametrize("written", ["hello", "{", "", "{}"])
async def test_a_file_that_is_no_kubeconfig_is_said_so(tmp_path: Path, written: str):
    file = tmp_path / "kubeconfig"
    file.write_text(written)
    with pytest.raises(SpecInvalid, match="No connection to a cluster"):
        await load_configuration(file)
