"""The process that watches, decides and acts: the only place that knows kopf.

Belongs here: watches and caches, the deadline queue and its workers, the Lease, observing for and applying what
`canary.core` decides, the threads that query metrics and revert commits. Does not: deciding, rendering manifests,
judging. Nothing here blocks the loop: whatever is synchronous runs in a thread with a time limit.
"""
