"""The judges: what was measured goes in, a verdict comes out.

Here belongs what turns counters and values into evidence: samples, judges, dispersion, verdicts, reports. All of it is
pure numpy and plain values: no I/O, no clock, no randomness. Time comes in as Unix seconds. How the numbers are fetched
belongs to `canary.metrics`; what is done about a verdict belongs to `canary.core`.
"""
