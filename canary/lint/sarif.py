"""Findings as SARIF 2.1.0, which code hosts show beside the lines of a change."""

from __future__ import annotations

from collections.abc import Iterable

from canary import __version__
from canary.lint.finding import SENTENCES, Finding, Rule

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(findings: Iterable[Finding]) -> dict[str, object]:
    """Return the log, ready for JSON."""
    rules = [
        {"id": rule.value, "shortDescription": {"text": sentence}, "fullDescription": {"text": sentence}}
        for rule, sentence in SENTENCES.items()
    ]
    driver = {"name": "canary lint", "semanticVersion": __version__, "rules": rules}
    results = [
        {
            "ruleId": finding.rule.value,
            "ruleIndex": list(Rule).index(finding.rule),
            "level": finding.level.value,
            "message": {"text": finding.message},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": finding.file},
                        "region": {"startLine": finding.line},
                    }
                }
            ],
        }
        for finding in findings
    ]
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}
