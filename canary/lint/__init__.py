"""What can be said of manifests without a cluster: fields, PromQL, the cost of queries, and whether steps can decide.

Findings are values; reading files is `documents`, printing is the command line's.
"""
