"""What Canary decides, and nothing else.

Belongs here: phases, the release's state, what was observed, what is to be done, and `decide()`.
Does not: Kubernetes' dictionaries, clients, clocks, randomness. No I/O happens here; times are passed in as seconds
since the epoch (UTC), weights as whole percent of the traffic.
"""
