"""The `canary` command: what people type, and what they read back.

Belongs here: one file for each command, the seam to the cluster (`cluster.py`), and how a Rollout is told to people.
Does not: decisions (a command only writes an annotation that says what somebody wants), and Kubernetes' client outside
of `apiserver.py`. Modules that are imported at start import nothing heavy, so that help and completion answer at once.
"""
