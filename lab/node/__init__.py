"""The lab's node: scheduler and kubelet in one, whose containers are real local processes.

Belongs here: what turns pods of a real API server into processes, each bound to its own pod address, and reports what
became of them. Does not belong here: the control plane, the network namespace and the fault switchboard.

Pure (values in, values out): images, addresses, environment, containers, status, scheduling, the thresholds of probes.
The rest does I/O: kubeapi (HTTP), processes (fork, signals, pidfd), records (files), runner, pod and agent (asyncio).
"""
