"""What the operator shows over HTTP: health, readiness, metrics.

Belongs here: the pages and the server. Does not: anything that changes what the operator does. Reads only.
"""
