"""Git: where a version came from, which commits brought it, and the one commit that takes it back.

Belongs here: everything that knows commits, trees, remotes, or how an engine names them. Does I/O in `clone` (git by
subprocess; `remote`, `reading` and `writing` are what it is run for) and `kustomize` (one more program) only; the rest
is pure over values or over the small `history.History` protocol. All of it is synchronous: the operator calls it in a
thread, one queue for each repository.
"""

from __future__ import annotations
