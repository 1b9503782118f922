"""What the operator shows over HTTP: health, readiness, metrics.

Belongs here: the pages and their server. Does not: anything that changes what the operator does, or knows how it works;
what is shown is handed in.
"""
