"""Where measurements come from: sources behind one protocol, the planner of their queries, and the sessions that judge.

Here belongs what speaks to a metrics system and what turns its answers into the judges' input. Only the sources do I/O
(`prometheus.py`, ...); planner and session are pure. What the numbers mean belongs to `canary.analysis`.
"""
